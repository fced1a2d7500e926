//! The cluster's own certificate authority, what it signs, and the kubeconfigs with it. Made by `openssl`, valid for two days.

use super::{On, Result, Trouble, folder};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names and addresses by which pods and people reach the API server, besides its own address: the first of the services.
const SERVICE: &str = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1";

/// Certificates in a folder: `<name>.crt` and `<name>.key`, the authority as `ca`.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// A new authority, with a key pair for tokens of service accounts beside it.
    ///
    /// Errors: openssl is not there, or refuses.
    pub(super) fn new(run: &Path) -> Result<Self> {
        let authority = Self { folder: folder::inner(run, "certificates")? };
        let words = "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=more\n[name]\nCN=fleetloom-cluster\n\
                     [more]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature\n";
        folder::write(&authority.folder, "ca.words", words)?;
        authority.openssl(&[
            &["req", "-x509", "-config", "ca.words"],
            &NEW[..],
            &["-keyout", "ca.key", "-out", "ca.crt"],
        ])?;
        authority.openssl(&[&["genrsa", "-out", "accounts.key", "2048"]])?;
        authority.openssl(&[&["rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub"]])?;
        Ok(authority)
    }

    /// Signs a certificate for a server at an address.
    ///
    /// Errors: openssl refuses.
    pub(super) fn server(&self, name: &str, who: &Who, at: Ipv4Addr) -> Result<()> {
        self.sign(name, who, &format!("serverAuth\nsubjectAltName={SERVICE},IP:{at}"))
    }

    /// Signs a certificate for a client and writes its kubeconfig, `<name>.kubeconfig`.
    ///
    /// Errors: openssl refuses, or the file cannot be written.
    pub(super) fn client(&self, name: &str, who: &Who, server: &str) -> Result<PathBuf> {
        self.sign(name, who, "clientAuth")?;
        let [ca, crt, key] =
            [self.file("ca.crt"), self.file(&format!("{name}.crt")), self.file(&format!("{name}.key"))];
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: fleetloom\n\
             contexts: [{{name: fleetloom, context: {{cluster: fleetloom, user: {name}}}}}]\n\
             clusters: [{{name: fleetloom, cluster: {{server: \"{server}\", certificate-authority: \"{}\"}}}}]\n\
             users: [{{name: {name}, user: {{client-certificate: \"{}\", client-key: \"{}\"}}}}]\n",
            ca.display(),
            crt.display(),
            key.display()
        );
        folder::write(&self.folder, &format!("{name}.kubeconfig"), &text)
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn sign(&self, name: &str, who: &Who, usage: &str) -> Result<()> {
        let Who { organisation, user } = who;
        let words = format!(
            "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=more\n[name]\nO={organisation}\nCN={user}\n\
             [more]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
        );
        let [config, key, crt] = ["words", "key", "crt"].map(|end| format!("{name}.{end}"));
        folder::write(&self.folder, &config, &words)?;
        let by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-config", &config, "-keyout", &key, "-out", &crt];
        self.openssl(&[&["req", "-x509"], &NEW[..], &by[..]])
    }

    fn openssl(&self, arguments: &[&[&str]]) -> Result<()> {
        let mut command = Command::new("openssl");
        command.args(arguments.concat()).current_dir(&self.folder);
        let made = command.output().on("openssl (`make tools` installs it)")?;
        match made.status.success() {
            true => Ok(()),
            false => Err(Trouble::new(format!("{command:?}: {}", String::from_utf8_lossy(&made.stderr)))),
        }
    }
}

/// A new key, and days enough for a long evening: the clusters of tests live for minutes.
const NEW: [&str; 7] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/// Whom a certificate names, as the API server understands it: a group and a user.
#[derive(Debug)]
pub(super) struct Who {
    /// The group.
    pub(super) organisation: &'static str,
    /// The user.
    pub(super) user: &'static str,
}

impl Who {
    /// May do everything.
    pub(super) const ADMIN: Self = Self { organisation: "system:masters", user: "admin" };
    /// The API server towards the kubelet.
    pub(super) const API_SERVER: Self = Self { organisation: "system:masters", user: "kube-apiserver" };
    /// The controllers.
    pub(super) const CONTROLLERS: Self = Self { organisation: "fleetloom", user: "system:kube-controller-manager" };
    /// The scheduler.
    pub(super) const SCHEDULER: Self = Self { organisation: "fleetloom", user: "system:kube-scheduler" };
    /// The proxy.
    pub(super) const PROXY: Self = Self { organisation: "fleetloom", user: "system:kube-proxy" };
    /// The kubelet of the one node.
    pub(super) const NODE: Self = Self { organisation: "system:nodes", user: "system:node:node" };
}
