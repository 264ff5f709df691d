// Starts the API reference. Has to be loaded before the vendored bundle.
(() => {
  'use strict';

  const DOCUMENT_URL = '/openapi.json';
  const TOKEN_HEADERS = ['access-token', 'client', 'uid'];
  const STORAGE_KEY = 'worklete-docs-tokens';

  // The bundle contains zod, which tests once whether code can be compiled from text. The content security
  // policy forbids that; asking zod not to try keeps the browser console free of a violation report.
  globalThis.__zod_globalConfig = { ...globalThis.__zod_globalConfig, jitless: true };

  // ---- The three token headers: kept for this tab only (session storage), never in local storage. ----

  let tokens = readTokens();
  let lastSent = null;
  const replaced = new Set(); // Access tokens for which a response has announced a successor.

  /** The three values, or null unless all of them are there. */
  function pickTokens(get) {
    const entries = TOKEN_HEADERS.map((name) => [name, get(name)]);
    const complete = entries.every(([, value]) => typeof value === 'string' && value.trim() !== '');
    return complete ? Object.fromEntries(entries) : null;
  }

  function sameTokens(a, b) {
    return a !== null && b !== null && TOKEN_HEADERS.every((name) => a[name] === b[name]);
  }

  function readTokens() {
    try {
      const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null') ?? {};
      return pickTokens((name) => stored[name]);
    } catch {
      return null;
    }
  }

  function keepTokens(next) {
    tokens = next;
    try {
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify(next));
    } catch {
      // Storage is off: the tokens last until the page is left.
    }
    showSession();
  }

  function showSession() {
    document.getElementById('session').hidden = tokens === null;
    document.getElementById('session-uid').textContent = tokens?.uid ?? '';
  }

  function forgetTokens() {
    try {
      sessionStorage.removeItem(STORAGE_KEY);
    } finally {
      location.reload();
    }
  }

  // ---- The reference. ----

  /** `header name -> key in components.securitySchemes` of the token headers the document knows. */
  function tokenSchemes(openapi) {
    const schemes = Object.entries(openapi.components?.securitySchemes ?? {});
    return new Map(
      schemes
        .filter(([, scheme]) => scheme.type === 'apiKey' && scheme.in === 'header')
        .map(([key, scheme]) => [scheme.name.toLowerCase(), key])
        .filter(([name]) => TOKEN_HEADERS.includes(name)),
    );
  }

  function authentication(openapi) {
    const schemes = tokenSchemes(openapi);
    const settings = {
      securitySchemes: Object.fromEntries(
        [...schemes].map(([name, key]) => [key, { value: tokens?.[name] ?? '' }]),
      ),
    };
    // Without a document-wide requirement, all three still belong together.
    if (!openapi.security && schemes.size === TOKEN_HEADERS.length) {
      settings.preferredSecurityScheme = [TOKEN_HEADERS.map((name) => schemes.get(name))];
    }
    return settings;
  }

  function configuration(openapi, hooks) {
    return {
      content: openapi,
      // Requests go to the server that shows this page; the content security policy allows no other.
      servers: [{ url: location.origin, description: 'This server' }],
      authentication: authentication(openapi),

      // Nothing from outside, nothing sent outside.
      withDefaultFonts: false,
      telemetry: false,
      agent: { disabled: true },
      mcp: { disabled: true },
      showDeveloperTools: 'never',
      hideClientButton: true,
      persistAuth: false,

      theme: 'default',
      layout: 'modern',
      documentDownloadType: 'none',
      defaultOpenFirstTag: true,
      defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
      setPageTitle: () => 'Worklete API',
      ...hooks,
    };
  }

  function start(openapi) {
    let reference = null;

    const hooks = {
      onRequestBuilt({ request }) {
        lastSent = pickTokens((name) => request.headers.get(name));
        if (lastSent !== null && tokens !== null && replaced.has(lastSent['access-token'])) {
          TOKEN_HEADERS.forEach((name) => request.headers.set(name, tokens[name]));
          lastSent = tokens;
        }
      },
      onResponseReceived({ response }) {
        const sent = lastSent;
        if (sent !== null && response.status !== 401 && !sameTokens(sent, tokens)) {
          keepTokens(sent);
        }
        // Signing in, and a server that rotates tokens, answer with the headers to use from now on.
        const fresh = pickTokens((name) => response.headers.get(name));
        if (fresh !== null && !sameTokens(fresh, tokens)) {
          [sent, tokens].forEach((old) => old && replaced.add(old['access-token']));
          replaced.delete(fresh['access-token']);
          keepTokens(fresh);
          reference.updateConfiguration(configuration(openapi, hooks));
        }
      },
    };

    document.getElementById('reference').textContent = '';
    reference = globalThis.Scalar.createApiReference('#reference', configuration(openapi, hooks));
  }

  async function fetchDocument() {
    const response = await fetch(DOCUMENT_URL, { headers: { accept: 'application/json' } });
    if (!response.ok) {
      throw new Error(`${DOCUMENT_URL} answered with status ${response.status}`);
    }
    return response.json();
  }

  // The document is fetched while the bundle is still loading.
  const openapi = fetchDocument();
  openapi.catch(() => {});

  document.addEventListener('DOMContentLoaded', async () => {
    document.getElementById('session-forget').addEventListener('click', forgetTokens);
    showSession();
    try {
      start(await openapi);
    } catch (error) {
      const notice = document.createElement('p');
      notice.className = 'docs-notice docs-notice-error';
      notice.setAttribute('role', 'alert');
      notice.textContent = `The API description could not be shown: ${error.message}`;
      document.getElementById('reference').replaceChildren(notice);
    }
  });
})();
