//! Kubernetes' Job and its pods as facts. Pure.

use crate::build::pod::CONTAINER;
use crate::facts::{Activity, End, How, Trouble};
use crate::moment::Moment;
use crate::reason::Reason;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use pipeline::act::Message;

/// How long pods may take to be ready before they are looked at, seconds.
pub const PATIENCE_SECONDS: i64 = 30;

/// The exit code of a worker whose memory budget does not suffice.
pub const EXIT_MEMORY: i32 = 6;

/// A process that was killed (128 + SIGKILL), as the out-of-memory killer does.
const EXIT_KILLED: i32 = 137;

/// How the Job ended; `None` while it has not.
pub fn ended(job: &Job) -> Option<(How, Moment)> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    let of = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    let at = |condition: &JobCondition| condition.last_transition_time.as_ref().map(Moment::of).unwrap_or_default();
    if let Some(complete) = of("Complete") {
        return Some((How::Complete, at(complete)));
    }
    let failed = of("Failed")?;
    let message = failed.message.clone().unwrap_or_default();
    let how = match failed.reason.as_deref() {
        Some("PodFailurePolicy") => How::Policy(exit_code(&message)),
        Some("DeadlineExceeded") => How::Deadline,
        _ => How::Tries(message),
    };
    Some((how, at(failed)))
}

/// `Container worker for pod fleet/a-1-plan-x failed with exit code 2 matching FailJob rule at index 2`.
fn exit_code(message: &str) -> Option<i32> {
    let (_, rest) = message.split_once("exit code ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A Job that has not ended, as it is.
pub fn activity(job: &Job, trouble: Option<Trouble>) -> Activity {
    let spec = job.spec.clone().unwrap_or_default();
    let status = job.status.clone().unwrap_or_default();
    let count = |count: Option<i32>| u32::try_from(count.unwrap_or(0)).unwrap_or(0);
    Activity {
        suspended: spec.suspend.unwrap_or(false),
        parallelism: count(spec.parallelism),
        active: count(status.active),
        ready: count(status.ready),
        started: status.start_time.as_ref().map(Moment::of),
        completed_indexes: status.completed_indexes.unwrap_or_default(),
        failed_indexes: status.failed_indexes.unwrap_or_default(),
        trouble,
    }
}

/// Whether its pods should have been ready by now and are not, so that they are worth a look.
pub fn is_stuck(activity: &Activity, now: Moment) -> bool {
    !activity.suspended
        && activity.ready == 0
        && activity.started.is_some_and(|started| now.since(started) >= PATIENCE_SECONDS)
}

/// A Job that has ended, with what its pods say.
pub fn end(job: &Job, how: How, at: Moment, pods: &[Pod]) -> End {
    let status = job.status.clone().unwrap_or_default();
    let mut exits: Vec<&ContainerStateTerminated> = pods.iter().filter_map(exit).collect();
    exits.sort_by_key(|exit| exit.finished_at.as_ref().map(|time| time.0));
    let succeeded = |exit: &&&ContainerStateTerminated| exit.exit_code == 0;
    let wanted = match how {
        How::Policy(Some(code)) => exits.iter().rfind(|exit| exit.exit_code == code),
        How::Complete => exits.iter().rfind(succeeded),
        _ => exits.iter().rfind(|exit| exit.exit_code != 0),
    };
    End {
        at,
        completed_indexes: status.completed_indexes.unwrap_or_default(),
        failed_indexes: status.failed_indexes.unwrap_or_default(),
        message: wanted.and_then(|exit| message(exit)),
        memory: how != How::Complete && exits.iter().any(|exit| is_memory(exit)),
        code: wanted.map(|exit| exit.exit_code).filter(|code| *code != 0),
        how,
    }
}

/// Whether pods that are listed are still at work. Once their Job has ended none is, so that the list is an old one.
pub fn are_at_work(pods: &[Pod]) -> bool {
    let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
    let is_over = |pod: &Pod| exit(pod).is_some() || ["Succeeded", "Failed"].contains(&phase(pod).as_str());
    pods.iter().any(|pod| !is_over(pod) && pod.metadata.deletion_timestamp.is_none())
}

/// How the worker of a pod ended; a container that was started again counts too.
fn exit(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let worker = worker(pod)?;
    let now = worker.state.as_ref().and_then(|state| state.terminated.as_ref());
    now.or_else(|| worker.last_state.as_ref().and_then(|state| state.terminated.as_ref()))
}

/// The worker among the containers of a pod: others may be put into it on its way.
fn worker(pod: &Pod) -> Option<&ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|container| container.name == CONTAINER)
}

fn message(exit: &ContainerStateTerminated) -> Option<Message> {
    let text = exit.message.as_deref()?;
    text.lines().rev().find_map(|line| serde_json::from_str(line).ok())
}

fn is_memory(exit: &ContainerStateTerminated) -> bool {
    let killed = exit.exit_code == EXIT_KILLED && exit.reason.as_deref() == Some("OOMKilled");
    exit.exit_code == EXIT_MEMORY || killed || exit.reason.as_deref() == Some("OOMKilled")
}

/// Why pods of a Job are not ready that have had the time to be; `None` where it only goes from one to the next.
pub fn trouble(pods: &[Pod], now: Moment) -> Option<Trouble> {
    let old = |pod: &&Pod| {
        let created = pod.metadata.creation_timestamp.as_ref().map(Moment::of);
        created.is_some_and(|created| now.since(created) >= PATIENCE_SECONDS)
    };
    let waiting: Vec<&Pod> = pods.iter().filter(|pod| exit(pod).is_none()).filter(old).collect();
    let known = waiting.iter().find_map(|pod| container_trouble(pod));
    let known = known.or_else(|| waiting.iter().find_map(|pod| scheduling_trouble(pod)));
    known.or_else(|| match (pods.len(), waiting.len()) {
        (0, _) => {
            let message = "the Job has no pod yet; look at its events with kubectl describe job";
            Some(Trouble { reason: Reason::NoPods, message: message.into() })
        }
        (_, 0) => None,
        (_, n) => Some(Trouble { reason: Reason::PodsNotReady, message: format!("{n} pods, none of them ready") }),
    })
}

fn container_trouble(pod: &Pod) -> Option<Trouble> {
    let waiting = worker(pod)?.state.as_ref()?.waiting.as_ref()?;
    let word = waiting.reason.clone()?;
    let reason = match word.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
            Reason::ImagePull
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Reason::ContainerConfig,
        _ => return None,
    };
    Some(Trouble { reason, message: said(&word, waiting.message.as_deref()) })
}

fn scheduling_trouble(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    let word = scheduled.reason.as_deref().filter(|_| scheduled.status == "False")?;
    Some(Trouble { reason: Reason::Unschedulable, message: said(word, scheduled.message.as_deref()) })
}

fn said(word: &str, message: Option<&str>) -> String {
    message.map_or_else(|| word.to_owned(), |message| format!("{word}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(status: &Value) -> Job {
        serde_json::from_value(json!({"metadata": {"name": "a-1-plan"}, "spec": {"template": {}}, "status": status}))
            .unwrap()
    }

    fn failed(reason: &str, message: &str) -> Job {
        let condition = json!({"type": "Failed", "status": "True", "reason": reason, "message": message,
                               "lastTransitionTime": "2026-11-24T18:00:00Z"});
        job(&json!({"conditions": [condition]}))
    }

    fn pod(exit: i32, reason: &str, message: &str, finished: &str) -> Pod {
        serde_json::from_value(json!({"status": {"containerStatuses": [{
            "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": exit, "reason": reason, "message": message, "finishedAt": finished}},
        }]}}))
        .unwrap()
    }

    #[test]
    fn a_job_that_goes_on_has_no_end() {
        assert_eq!(ended(&job(&json!({"active": 1}))), None);
        let failing = json!({"conditions": [{"type": "FailureTarget", "status": "True"}]});
        assert_eq!(ended(&job(&failing)), None);
    }

    #[test]
    fn the_exit_code_is_read_from_the_failed_message() {
        let said =
            "Container worker for pod fleet/a-1-plan-x7k2p failed with exit code 2 matching FailJob rule at index 2";
        let at = Moment(1_795_543_200);
        assert_eq!(ended(&failed("PodFailurePolicy", said)), Some((How::Policy(Some(2)), at)));
        assert_eq!(ended(&failed("PodFailurePolicy", "reworded")), Some((How::Policy(None), at)));
        assert_eq!(ended(&failed("DeadlineExceeded", "")), Some((How::Deadline, at)));
        assert_eq!(ended(&failed("FailedIndexes", "some")), Some((How::Tries("some".into()), at)));
    }

    #[test]
    fn the_message_is_that_of_the_pod_that_counts() {
        let computed = r#"{"act":"computed","shards":1,"rows":2}"#;
        let fault = r#"{"act":"failed","code":4,"sentence":"no storage"}"#;
        let pods =
            [pod(0, "Completed", computed, "2026-11-24T18:00:01Z"), pod(4, "Error", fault, "2026-11-24T18:00:02Z")];
        let how = |how| end(&job(&json!({})), how, Moment(0), &pods);
        assert!(matches!(how(How::Complete).message, Some(Message::Computed(_))));
        let tries = how(How::Tries(String::new()));
        assert!(matches!(tries.message, Some(Message::Failed(_))));
        assert_eq!((tries.code, tries.memory), (Some(4), false));
    }

    #[test]
    fn a_pod_is_at_work_until_it_has_ended_failed_or_is_being_deleted() {
        let standing = |phase: &str, deleted: Option<&str>| -> Pod {
            serde_json::from_value(json!({"metadata": {"deletionTimestamp": deleted}, "status": {"phase": phase}}))
                .unwrap()
        };
        assert!(are_at_work(&[standing("Running", None)]) && are_at_work(&[standing("Pending", None)]));
        let evicted = standing("Failed", None);
        let over = [pod(0, "Completed", "", CREATED), evicted, standing("Running", Some(CREATED))];
        assert!(!are_at_work(&over) && !are_at_work(&[]));
    }

    #[test]
    fn a_killed_pod_is_out_of_memory_only_where_kubernetes_says_so() {
        let memory = |exit, reason| {
            let pods = [pod(exit, reason, "", "2026-11-24T18:00:01Z")];
            end(&job(&json!({})), How::Tries(String::new()), Moment(0), &pods).memory
        };
        assert!(memory(6, "Error") && memory(137, "OOMKilled"));
        assert!(!memory(137, "Error") && !memory(4, "Error"));
    }

    /// Since when pods of tests are there.
    const CREATED: &str = "2026-11-24T18:00:00Z";

    #[test]
    fn trouble_has_a_word_and_what_kubernetes_says() {
        let waiting = |reason: &str| -> Pod {
            serde_json::from_value(json!({"metadata": {"creationTimestamp": CREATED}, "status": {"containerStatuses": [
                {"name": "sidecar", "image": "", "imageID": "", "ready": true, "restartCount": 0},
                {"name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                 "state": {"waiting": {"reason": reason, "message": "why"}}}]}}))
            .unwrap()
        };
        let at = |seconds| Moment(1_795_543_200 + seconds);
        let trouble = |pods: &[Pod]| trouble(pods, at(PATIENCE_SECONDS)).unwrap();
        assert_eq!(trouble(&[waiting("ImagePullBackOff")]).reason, Reason::ImagePull);
        assert_eq!(trouble(&[waiting("CreateContainerConfigError")]).message, "CreateContainerConfigError: why");
        assert_eq!(trouble(&[waiting("ContainerCreating")]).reason, Reason::PodsNotReady);
        assert_eq!(trouble(&[]).reason, Reason::NoPods);
        let unschedulable: Pod =
            serde_json::from_value(json!({"metadata": {"creationTimestamp": CREATED}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}}))
            .unwrap();
        assert_eq!(trouble(&[unschedulable]).message, "Unschedulable: 0/1 nodes");
        let young = super::trouble(&[waiting("ImagePullBackOff")], at(PATIENCE_SECONDS - 1));
        let over = super::trouble(&[pod(0, "Completed", "", CREATED)], at(900));
        assert_eq!((young, over), (None, None), "between one pod and the next there is no trouble");
    }
}
