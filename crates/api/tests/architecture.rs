//! The arrows between the crates, and the hygiene of their manifests.

use std::collections::BTreeMap;
use std::fs;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().expect("cargo metadata")
}

fn layer(name: &str) -> &'static str {
    match name {
        "domain-kernel" => "kernel",
        _ if name.starts_with("domain-") => "domain",
        _ if name.starts_with("adapter-") => "adapter",
        "api" => "api",
        _ => panic!("{name} belongs to no layer: call it domain-…, adapter-… or api"),
    }
}

/// What a layer may depend on, dev-dependencies included.
fn may_depend(from: &str, to: &str) -> bool {
    match from {
        "kernel" => false,
        "domain" => to == "kernel",
        "adapter" => matches!(to, "kernel" | "domain"),
        _ => matches!(to, "kernel" | "domain" | "adapter"),
    }
}

#[test]
fn arrows_point_from_the_api_through_adapters_and_domains_to_the_kernel() {
    let metadata = metadata();
    let ours: Vec<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|d| ours.contains(&d.name.as_str())) {
            let is_itself = dependency.name == package.name.as_str();
            if !is_itself && !may_depend(layer(&package.name), layer(&dependency.name)) {
                wrong.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "these arrows are not allowed: {wrong:?}");
}

/// Crates that only one layer may know, with the packages that may name them.
const KEPT_TO: [(&str, &[&str]); 10] = [
    ("diesel", &["adapter-postgres"]),
    ("diesel_migrations", &["adapter-postgres"]),
    ("r2d2", &["adapter-postgres"]),
    ("actix-web", &["api"]),
    ("utoipa", &["api"]),
    ("lettre", &["adapter-mail"]),
    ("bcrypt", &["adapter-security"]),
    ("aws-config", &["adapter-s3", "adapter-media"]),
    ("aws-sdk-s3", &["adapter-s3", "adapter-media"]),
    ("s3s", &["adapter-s3"]),
];

#[test]
fn each_technology_stays_in_its_crate() {
    for package in metadata().packages {
        for (technology, homes) in KEPT_TO {
            let names_it = package.dependencies.iter().any(|dependency| dependency.name == technology);
            assert!(
                !names_it || homes.contains(&package.name.as_str()),
                "{} must not know {technology}",
                package.name
            );
        }
    }
}

#[test]
fn domains_know_only_small_pure_libraries() {
    let allowed = [
        "async-trait",
        "base64",
        "chardetng",
        "chrono",
        "chrono-tz",
        "csv",
        "encoding_rs",
        "encoding_rs_io",
        "hmac",
        "serde_json",
        "sha2",
        "subtle",
        "thiserror",
        "unicode-normalization",
        "url",
        "uuid",
    ];
    for package in
        metadata().packages.iter().filter(|package| matches!(layer(&package.name), "domain" | "kernel"))
    {
        let normal =
            package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        for dependency in normal.filter(|dependency| !dependency.name.starts_with("domain-")) {
            assert!(allowed.contains(&dependency.name.as_str()), "{} -> {}", package.name, dependency.name);
        }
    }
}

#[test]
fn mocks_are_for_tests_only() {
    for package in metadata().packages {
        let uses = package.dependencies.iter().find(|dependency| dependency.name == "mockall");
        let is_dev = uses.is_none_or(|dependency| dependency.kind == DependencyKind::Development);
        assert!(is_dev, "{}: mockall must be a dev-dependency", package.name);
    }
}

fn manifest(package: &Package) -> String {
    fs::read_to_string(&package.manifest_path).expect("a manifest")
}

#[test]
fn every_manifest_takes_lints_and_versions_from_the_workspace() {
    for package in metadata().packages {
        let text = manifest(&package);
        assert!(text.contains("[lints]\nworkspace = true"), "{}: [lints] workspace = true", package.name);
        let mut in_dependencies = false;
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies && line.contains('=') && !line.starts_with('#') {
                // A crate may name itself by path: that is how its own tests switch a feature on.
                let is_own = line.contains("path = \".\"");
                assert!(is_own || line.contains("workspace = true"), "{}: {line}", package.name);
            }
        }
    }
}

#[test]
fn folder_and_name_tell_the_same_layer() {
    for package in metadata().packages {
        let path = package.manifest_path.as_str().replace('\\', "/");
        let folder = match layer(&package.name) {
            "kernel" | "domain" => "/crates/domain/",
            "adapter" => "/crates/adapters/",
            _ => "/crates/api/",
        };
        assert!(path.contains(folder), "{} lies in {path}", package.name);
    }
}

#[test]
fn no_two_crates_have_the_same_description() {
    let mut seen = BTreeMap::new();
    for package in metadata().packages {
        let description = package.description.clone().unwrap_or_default();
        assert!(!description.is_empty(), "{} has no description", package.name);
        if let Some(other) = seen.insert(description, package.name.clone()) {
            panic!("{other} and {} have the same description", package.name);
        }
    }
}
