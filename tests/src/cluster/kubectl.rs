//! Calls of `kubectl`, with results that a test can look into. What the API server refuses is an error with its sentence.

use super::{On, Result, Trouble, programs, wait};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Until what a test waits for must be so, on two slow cores that do other things too.
const DEADLINE: Duration = Duration::from_secs(180);

/// How often it is asked. A call takes some 50 ms of a core.
const POLL: Duration = Duration::from_millis(200);

/// How often a list is asked for, which may be of hundreds.
const POLL_LIST: Duration = Duration::from_secs(2);

/// `kubectl` as one user of one cluster, in one namespace.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
}

impl Kubectl {
    /// As the user of a kubeconfig, in the namespace `default`.
    ///
    /// Errors: the program is not there.
    pub fn new(kubeconfig: &Path) -> Result<Self> {
        let program = programs::find("kubectl")?;
        Ok(Self { program, kubeconfig: kubeconfig.to_owned(), namespace: "default".to_owned() })
    }

    /// The same user in another namespace.
    pub fn within(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    /// The user's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The folder in which its program lies.
    pub fn programs(&self) -> &Path {
        self.program.parent().unwrap_or(&self.program)
    }

    /// Stdout of a call.
    ///
    /// Errors: it ended badly; what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.fed(arguments, "")
    }

    /// Stdout of a call that reads `stdin`.
    ///
    /// Errors: it ended badly; what it said.
    pub fn fed(&self, arguments: &[&str], stdin: &str) -> Result<String> {
        let output = self.call(arguments, stdin)?;
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        match output.status.success() {
            true => Ok(out),
            false => Err(Trouble::new(format!("kubectl {}: {}", arguments.join(" "), err.trim()))),
        }
    }

    /// What the API server answers on a path, such as `/readyz`.
    ///
    /// Errors: as `run`.
    pub fn raw(&self, path: &str) -> Result<String> {
        self.run(&["get", "--raw", path])
    }

    /// Applies resources.
    ///
    /// Errors: one is refused.
    pub fn apply(&self, words: &str) -> Result<()> {
        self.fed(&["apply", "-f", "-"], words).map(drop)
    }

    /// A resource; none if it is not there.
    ///
    /// Errors: the kind is unknown, or the server does not answer.
    pub fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let text = self.run(&["get", kind, name, "--ignore-not-found", "-o", "json"])?;
        match text.trim() {
            "" => Ok(None),
            text => serde_json::from_str(text).on("what kubectl says").map(Some),
        }
    }

    /// The resources of a kind with these labels (`app=x,act=plan`; empty: all), oldest name first.
    ///
    /// Errors: as `get`.
    pub fn list(&self, kind: &str, labels: &str) -> Result<Vec<Value>> {
        let text = self.run(&["get", kind, "-l", labels, "-o", "json"])?;
        let mut list: Value = serde_json::from_str(&text).on("what kubectl says")?;
        Ok(list["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Removes a resource, if it is there, and waits until it is gone.
    ///
    /// Errors: it is not gone before the deadline.
    pub fn delete(&self, kind: &str, name: &str) -> Result<()> {
        let deadline = format!("--timeout={}s", DEADLINE.as_secs());
        self.run(&["delete", kind, name, "--ignore-not-found", "--wait", &deadline]).map(drop)
    }

    /// What a pod wrote so far.
    ///
    /// Errors: it has not begun.
    pub fn logs(&self, pod: &str) -> Result<String> {
        self.run(&["logs", pod])
    }

    /// Waits until a resource is there and `holds`, and gives it. A call that fails is made again: a kind may be new.
    ///
    /// Errors: it is not so before the deadline; the resource as it is.
    pub fn until(&self, kind: &str, name: &str, mut holds: impl FnMut(&Value) -> bool) -> Result<Value> {
        let mut last = String::new();
        let waited = wait::until(&format!("{kind}/{name}"), DEADLINE, POLL, || {
            let found = match self.get(kind, name) {
                Ok(found) => found,
                Err(error) => {
                    last = error.to_string();
                    return Ok(None);
                }
            };
            last = found.as_ref().map_or_else(|| "not there".to_owned(), Value::to_string);
            Ok(found.filter(&mut holds))
        });
        waited.map_err(|error| Trouble::new(format!("{error}; it is {last}")))
    }

    /// Waits until there are at least so many resources of a kind with these labels and each `holds`, and gives them. A call
    /// that fails is made again. For many, or what takes long: the deadline is the caller's.
    ///
    /// Errors: it is not so before the deadline; the first of those that do not hold.
    pub fn until_each(
        &self,
        (kind, labels): (&str, &str),
        at_least: usize,
        deadline: Duration,
        mut holds: impl FnMut(&Value) -> bool,
    ) -> Result<Vec<Value>> {
        let mut last = String::new();
        let waited = wait::until(&format!("each {kind}"), deadline, POLL_LIST, || {
            let all = match self.list(kind, labels) {
                Ok(all) => all,
                Err(error) => {
                    last = error.to_string();
                    return Ok(None);
                }
            };
            let lacking: Vec<&Value> = all.iter().filter(|it| !holds(it)).collect();
            let first = lacking.first().map(|it| format!(", such as {it}")).unwrap_or_default();
            last = format!("of {} (at least {at_least}) {} are not{first}", all.len(), lacking.len());
            Ok((lacking.is_empty() && all.len() >= at_least).then_some(all))
        });
        waited.map_err(|error| Trouble::new(format!("{error}; {last}")))
    }

    /// A call that is not made yet: one that goes on, such as a watch.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--namespace", &self.namespace]).args(arguments).env("KUBECONFIG", &self.kubeconfig);
        // What it learns of the API goes with the cluster, not into the home folder.
        command.env("KUBECACHEDIR", self.kubeconfig.with_extension("cache"));
        command
    }

    fn call(&self, arguments: &[&str], stdin: &str) -> Result<Output> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().on("kubectl")?;
        if let Some(mut pipe) = child.stdin.take() {
            // It may end before it has read all: what it says tells why.
            let _torn = pipe.write_all(stdin.as_bytes());
        }
        child.wait_with_output().on("kubectl")
    }
}

/// Whether a resource has this condition with status True.
pub fn has_condition(resource: &Value, kind: &str) -> bool {
    let conditions = resource["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}
