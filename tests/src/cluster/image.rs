//! Images for the node, as archives that containerd takes: of one static program, or of the `Containerfile` by buildah.

use super::space::done;
use super::{On, Result, folder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image in a tar, ready to be imported.
#[derive(Debug, Clone)]
pub struct Image {
    /// By which pods name it, with its tag.
    pub name: String,
    /// The archive.
    pub tar: PathBuf,
}

impl Image {
    /// What holds a pod's namespaces.
    ///
    /// Errors: the C compiler is not there.
    pub(super) fn pause(run: &Path) -> Result<Self> {
        Self::of_c(run, super::words::PAUSE, include_str!("../../cluster/pause.c"), &[])
    }

    /// `fleetloom.dev/probe:1`: a program that does what tests of a node ask for (`tests/cluster/probe.c`), and `/kubectl`.
    ///
    /// Errors: the C compiler is not there, or no kubectl.
    pub fn probe(run: &Path) -> Result<Self> {
        let kubectl = super::programs::find("kubectl")?;
        Self::of_c(run, "fleetloom.dev/probe:1", include_str!("../../cluster/probe.c"), &[("kubectl", &kubectl)])
    }

    /// A base with the files of Debian packages that this machine has.
    ///
    /// Errors: a package is not there.
    pub fn packages(run: &Path, name: &str, packages: &[&str]) -> Result<Self> {
        let work = folder::inner(run, "packages")?;
        let root = folder::inner(&work, "root")?;
        // What a package brings that is no folder and that an administrator has not left out; links as they are.
        let script = r#"dpkg --listfiles "${@:2}" | sort -u |
            while read -r file; do if [ -e "$file" ] && [ ! -d "$file" ]; then echo "$file"; fi; done |
            sed 's|^/||' | tar --create --directory / --files-from - | tar --extract --directory "$1""#;
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script, "packages"]).arg(&root).args(packages);
        done(&mut command)?;
        Self::of_folder(&work, name, &root)
    }

    /// Puts what a container of it would see into a new folder.
    ///
    /// Errors: the archive is none.
    pub fn unpack(&self, root: &Path) -> Result<()> {
        let layers = root.with_extension("layers");
        for path in [&layers.as_path(), &root] {
            fs::create_dir_all(path).on(path.display())?;
        }
        done(Command::new("tar").arg("--extract").arg("--file").arg(&self.tar).arg("--directory").arg(&layers))?;
        let manifest = layers.join("manifest.json");
        let manifest: Value = serde_json::from_slice(&fs::read(&manifest).on(manifest.display())?).on("a manifest")?;
        for layer in manifest[0]["Layers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let layer = layers.join(layer);
            done(Command::new("tar").arg("--extract").arg("--file").arg(layer).arg("--directory").arg(root))?;
        }
        fs::remove_dir_all(&layers).on(layers.display())
    }

    /// An image that holds a C program as `/program`, its entry point, and further files at its root.
    fn of_c(run: &Path, name: &str, source: &str, more: &[(&str, &Path)]) -> Result<Self> {
        let short = name.split(['/', ':']).nth(1).unwrap_or(name);
        let work = folder::inner(run, &format!("images/{short}"))?;
        let root = folder::inner(&work, "root")?;
        let source = folder::write(&work, "program.c", source)?;
        let program = root.join("program");
        done(Command::new("cc").args(["-static", "-Os", "-s", "-o"]).args([&program, &source]))?;
        for (file, from) in more {
            fs::copy(from, root.join(file)).on(from.display())?;
        }
        Self::of_folder(&work, name, &root)
    }

    /// An image of one layer, with all files of `root`.
    fn of_folder(work: &Path, name: &str, root: &Path) -> Result<Self> {
        let layer = work.join("layer.tar");
        done(tar(&layer, root).arg("."))?;
        let config = json!({
            "architecture": architecture(), "os": "linux",
            "config": {"Entrypoint": ["/program"], "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer)?)]},
        });
        folder::write(work, "config.json", &config.to_string())?;
        let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
        folder::write(work, "manifest.json", &manifest.to_string())?;
        let image = Self { name: name.to_owned(), tar: work.join("image.tar") };
        done(tar(&image.tar, work).args(["manifest.json", "config.json", "layer.tar"]))?;
        Ok(image)
    }
}

/// The images of this project, from its `Containerfile` and built programs.
#[derive(Debug, Clone)]
pub struct Images {
    /// The worker.
    pub worker: Image,
    /// The operator.
    pub operator: Image,
}

impl Images {
    /// Builds both into a folder, from the programs that lie in `programs`, with `.ci/images`.
    ///
    /// Errors: buildah or a program is missing.
    pub fn build(programs: &Path, folder: &Path) -> Result<Self> {
        Self::made(&mut Command::new(script()), programs, folder)
    }

    /// The same on another base than ours.
    ///
    /// Errors: as `build`, or the base is not there.
    pub fn build_on(base: &str, programs: &Path, folder: &Path) -> Result<Self> {
        Self::made(Command::new(script()).env("BASE", base), programs, folder)
    }

    fn made(script: &mut Command, programs: &Path, folder: &Path) -> Result<Self> {
        done(script.args([programs, folder]))?;
        let image = |name: &str| Image {
            name: format!("localhost/{name}:{}", env!("CARGO_PKG_VERSION")),
            tar: folder.join(format!("{name}.tar")),
        };
        Ok(Self { worker: image("fleetloom"), operator: image("fleetloom-operator") })
    }
}

/// What builds both.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/images")
}

/// An archive of files below a folder, the same for the same files.
fn tar(archive: &Path, root: &Path) -> Command {
    let mut command = Command::new("tar");
    command.args(["--create", "--owner=0", "--group=0", "--numeric-owner", "--sort=name", "--mtime=@0", "--file"]);
    command.arg(archive).arg("--directory").arg(root);
    command
}

/// As images name processors.
const fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

fn digest(file: &Path) -> Result<String> {
    let bytes = fs::read(file).on(file.display())?;
    Ok(Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    }))
}
