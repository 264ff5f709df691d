//! Mail: through an SMTP server, or as `.eml` files in a folder, which any mail program opens.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use domain_kernel::EmailAddress;
use domain_memberships::MembershipError;
use domain_memberships::ports::{InvitationMail, InvitationMailer};
use domain_users::UserError;
use domain_users::ports::{AccountMailer, PasswordResetMail};
use lettre::message::{Mailbox, MultiPart, header};
use lettre::{Address, AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

/// How mail leaves. The address of a server may hold a password, so it is never shown.
#[derive(Clone)]
pub enum MailTransport {
    /// Files of this folder, which is made when the first mail is written.
    Folder(PathBuf),
    /// A server, such as `smtps://user:password@mail.example.org`, or `smtp://…?tls=required` for STARTTLS.
    Smtp(String),
}

/// A transport or sender that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    /// The sender is no mailbox.
    #[error("the sender must look like `Worklete <no-reply@example.org>`")]
    Sender,
    /// The server's address cannot be read.
    #[error("the mail server must look like `smtps://user:password@mail.example.org`")]
    Server,
}

enum Outbox {
    Folder(PathBuf, AsyncFileTransport<Tokio1Executor>),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// Sends the platform's mails.
pub struct Mailer {
    sender: Mailbox,
    outbox: Outbox,
    sign_up_page: Option<Url>,
}

impl Mailer {
    /// Checks the settings; connects to nothing yet. Invitations link the sign-up page if there is one.
    pub fn new(
        transport: MailTransport,
        sender: &str,
        sign_up_page: Option<Url>,
    ) -> Result<Self, MailSetupError> {
        let sender = sender.parse().map_err(|_| MailSetupError::Sender)?;
        let outbox = match transport {
            MailTransport::Folder(folder) => {
                let files = AsyncFileTransport::new(&folder);
                Outbox::Folder(folder, files)
            }
            MailTransport::Smtp(url) => {
                let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
                    .map_err(|_| MailSetupError::Server)?;
                Outbox::Smtp(builder.timeout(Some(Duration::from_secs(30))).build())
            }
        };
        Ok(Self { sender, outbox, sign_up_page })
    }

    /// Whether mail could leave now: asks the server, or writes a file and removes it. Sends nothing.
    pub async fn check(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        match &self.outbox {
            Outbox::Folder(folder, _) => {
                tokio::fs::create_dir_all(folder).await?;
                let probe = folder.join(".probe");
                tokio::fs::write(&probe, "").await?;
                tokio::fs::remove_file(&probe).await?;
                Ok(())
            }
            Outbox::Smtp(server) if server.test_connection().await? => Ok(()),
            Outbox::Smtp(_) => Err("it closed the connection".into()),
        }
    }

    async fn send(&self, message: Message) -> Result<(), Box<dyn Error + Send + Sync>> {
        match &self.outbox {
            Outbox::Folder(folder, files) => {
                tokio::fs::create_dir_all(folder).await?;
                files.send(message).await?;
            }
            Outbox::Smtp(server) => {
                server.send(message).await?;
            }
        }
        Ok(())
    }
}

fn reset_message(
    sender: &Mailbox,
    mail: &PasswordResetMail,
) -> Result<Message, Box<dyn Error + Send + Sync>> {
    let PasswordResetMail { to, link, valid_minutes } = mail;
    let text = format!(
        "Hello,\n\nsomebody, hopefully you, asked for a new Worklete password. Choose one here:\n\n{link}\n\n\
         The link works once, for {valid_minutes} minutes. If you did not ask for it, there is nothing to do: your \
         password stays as it is.\n"
    );
    let html = format!(
        "<p>Hello,</p><p>somebody, hopefully you, asked for a new Worklete password.</p>\
         <p><a href=\"{link}\">Choose a new password</a></p>\
         <p>The link works once, for {valid_minutes} minutes. If you did not ask for it, there is nothing to do: your \
         password stays as it is.</p>",
        link = escaped(link),
    );
    message(sender, to, "Choose a new Worklete password", text, html)
}

fn invitation_message(
    sender: &Mailbox,
    mail: &InvitationMail,
    sign_up_page: Option<&Url>,
) -> Result<Message, Box<dyn Error + Send + Sync>> {
    let InvitationMail { to, organization_name, code, expires_at } = mail;
    let (code, until) = (code.as_str(), expires_at.format("%Y-%m-%d"));
    let link = sign_up_page.map(|page| {
        let mut link = page.clone();
        link.query_pairs_mut().append_pair("invite_code", code);
        link.to_string()
    });
    let place =
        link.as_ref().map_or_else(|| " in the Worklete app.".to_owned(), |link| format!(" here:\n\n{link}"));
    let text = format!(
        "Hello,\n\n{organization_name} invites you to Worklete: short lessons that prevent injuries at work. Your invite \
         code is {code}. Sign up with it{place}\n\nThe code works once, until {until}.\n"
    );
    let place = link.as_ref().map_or_else(
        || "in the Worklete app.".to_owned(),
        |link| format!("<a href=\"{}\">here</a>.", escaped(link)),
    );
    let html = format!(
        "<p>Hello,</p><p>{name} invites you to Worklete: short lessons that prevent injuries at work.</p>\
         <p>Your invite code is <strong>{code}</strong>. Sign up with it {place}</p>\
         <p>The code works once, until {until}.</p>",
        name = escaped(organization_name),
    );
    message(sender, to, "Your invitation to Worklete", text, html)
}

fn message(
    sender: &Mailbox,
    to: &EmailAddress,
    subject: &str,
    text: String,
    html: String,
) -> Result<Message, Box<dyn Error + Send + Sync>> {
    let to = Mailbox::new(None, to.as_str().parse::<Address>()?);
    let message = Message::builder()
        .from(sender.clone())
        .to(to)
        .subject(subject)
        .header(header::MIME_VERSION_1_0)
        .multipart(MultiPart::alternative_plain_html(text, html))?;
    Ok(message)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[async_trait]
impl AccountMailer for Mailer {
    async fn send_password_reset(&self, mail: PasswordResetMail) -> Result<(), UserError> {
        let message = reset_message(&self.sender, &mail).map_err(UserError::Mail)?;
        self.send(message).await.map_err(UserError::Mail)
    }
}

#[async_trait]
impl InvitationMailer for Mailer {
    async fn send_invitation(&self, mail: InvitationMail) -> Result<(), MembershipError> {
        let message = invitation_message(&self.sender, &mail, self.sign_up_page.as_ref());
        self.send(message.map_err(MembershipError::Mail)?).await.map_err(MembershipError::Mail)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain_kernel::InviteCode;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    const SENDER: &str = "Worklete <no-reply@example.org>";

    fn mail() -> PasswordResetMail {
        PasswordResetMail {
            to: EmailAddress::parse("learner@example.org").expect("an address"),
            link: "http://localhost:3001/api/v1/auth/password/edit?reset_password_token=abc".into(),
            valid_minutes: 60,
        }
    }

    #[tokio::test]
    async fn a_mail_becomes_a_file_with_the_link_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("not/yet/there");
        let mailer = Mailer::new(MailTransport::Folder(below.clone()), SENDER, None).expect("a mailer");
        mailer.send_password_reset(mail()).await.expect("writes");
        let file =
            std::fs::read_dir(below).expect("the folder").next().expect("a file").expect("readable").path();
        assert_eq!(file.extension().and_then(|e| e.to_str()), Some("eml"));
        let text = std::fs::read_to_string(file).expect("text").replace("=\r\n", "").replace("=3D", "=");
        assert!(text.contains("To: learner@example.org"), "{text}");
        assert!(text.contains("edit?reset_password_token=abc"), "{text}");
    }

    #[test]
    fn an_invitation_holds_the_code_and_leads_to_the_sign_up_page() {
        let invitation = InvitationMail {
            to: EmailAddress::parse("learner@example.org").expect("an address"),
            organization_name: "Fish & <Chips>".into(),
            code: InviteCode::parse("289BZP").expect("a code"),
            expires_at: DateTime::from_timestamp(1_767_600_000, 0).expect("a time"),
        };
        let sender: Mailbox = SENDER.parse().expect("a mailbox");
        let written = |page: Option<&str>| {
            let page = page.map(|page| Url::parse(page).expect("a URL"));
            let message = invitation_message(&sender, &invitation, page.as_ref()).expect("a mail");
            let text = String::from_utf8(message.formatted()).expect("text");
            text.replace("=\r\n", "").replace("=3D", "=")
        };
        let with_page = written(Some("https://app.example.org/join?lang=en"));
        assert!(with_page.contains("https://app.example.org/join?lang=en&invite_code=289BZP"), "{with_page}");
        assert!(with_page.contains("join?lang=en&amp;invite_code=289BZP"), "{with_page}");
        assert!(with_page.contains("Fish &amp; &lt;Chips&gt; invites"), "{with_page}");
        let without = written(None);
        assert!(without.contains("289BZP") && without.contains("until 2026-01-05"), "{without}");
        assert!(!format!("{invitation:?}").contains("289BZP"));
    }

    #[tokio::test]
    async fn a_mail_goes_through_an_smtp_server() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let (read, mut write) = stream.into_split();
            let (mut lines, mut received, mut in_data) = (BufReader::new(read).lines(), String::new(), false);
            write.write_all(b"220 ready\r\n").await.expect("writes");
            while let Ok(Some(line)) = lines.next_line().await {
                received.push_str(&line);
                received.push('\n');
                let answer = match line.as_str() {
                    "." if in_data => {
                        in_data = false;
                        "250 taken\r\n"
                    }
                    _ if in_data => continue,
                    "DATA" => {
                        in_data = true;
                        "354 go on\r\n"
                    }
                    "QUIT" => break,
                    _ => "250 fine\r\n",
                };
                write.write_all(answer.as_bytes()).await.expect("writes");
                if answer.contains("taken") {
                    break;
                }
            }
            received
        });
        let transport = MailTransport::Smtp(format!("smtp://127.0.0.1:{port}"));
        let mailer = Mailer::new(transport, SENDER, None).expect("a mailer");
        mailer.send_password_reset(mail()).await.expect("sends");
        let received = server.await.expect("a transcript");
        assert!(received.contains("RCPT TO:<learner@example.org>"), "{received}");
        assert!(received.contains("Subject: Choose a new Worklete password"), "{received}");
    }

    #[tokio::test]
    async fn a_folder_that_can_be_written_is_found_good_and_left_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("mail");
        let mailer = Mailer::new(MailTransport::Folder(below.clone()), SENDER, None).expect("a mailer");
        mailer.check().await.expect("can be written");
        assert_eq!(std::fs::read_dir(&below).expect("the folder").count(), 0);
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("writes");
        let mailer = Mailer::new(MailTransport::Folder(file), SENDER, None).expect("a mailer");
        assert!(mailer.check().await.is_err());
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let folder = MailTransport::Folder(PathBuf::from("mail"));
        assert!(matches!(Mailer::new(folder, "no mailbox", None), Err(MailSetupError::Sender)));
        let server = MailTransport::Smtp("https://mail.example.org".into());
        assert!(matches!(Mailer::new(server, SENDER, None), Err(MailSetupError::Server)));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_an_error_without_the_link() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let transport = MailTransport::Smtp(format!("smtp://127.0.0.1:{port}"));
        let mailer = Mailer::new(transport, SENDER, None).expect("a mailer");
        assert!(mailer.check().await.is_err());
        let error = mailer.send_password_reset(mail()).await.expect_err("nobody there");
        assert!(!format!("{error:?}").contains("reset_password_token"));
    }
}
