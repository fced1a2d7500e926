//! One operator at a time, where more than one may be started: a Lease is held while the program runs, and when it is lost the
//! program ends. Optional: with one replica and `strategy: Recreate` nothing needs it, for names collide.

use crate::moment::Moment;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use std::time::{Duration, Instant};

/// Name of the Lease.
pub const NAME: &str = "fleetloom-operator";
/// How long a Lease holds after it was renewed, seconds.
const HOLDS_SECONDS: i32 = 15;
/// How often it is renewed, and looked at while somebody else has it.
const EVERY: Duration = Duration::from_secs(5);

/// A Lease of this process.
pub struct Holder {
    leases: Api<Lease>,
    who: String,
}

/// What a look at a Lease leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is ours to take or to renew.
    Take,
    /// Somebody else holds it.
    Wait,
}

/// Whether `who` may take a Lease: it is nobody's, ours, or has run out.
pub fn claim(lease: Option<&LeaseSpec>, who: &str, now: Moment) -> Claim {
    let Some(lease) = lease else { return Claim::Take };
    let held = lease.holder_identity.as_deref().filter(|holder| !holder.is_empty() && *holder != who);
    let renewed = lease.renew_time.as_ref().map(|time| Moment(time.0.as_second()));
    let seconds = i64::from(lease.lease_duration_seconds.unwrap_or(HOLDS_SECONDS));
    match (held, renewed) {
        (Some(_), Some(renewed)) if now.since(renewed) <= seconds => Claim::Wait,
        _ => Claim::Take,
    }
}

impl Holder {
    /// A holder of that name (the pod's), in the operator's own namespace.
    pub fn new(client: Client, namespace: &str, who: String) -> Self {
        Self { leases: Api::namespaced(client, namespace), who }
    }

    /// Waits until the Lease is ours.
    pub async fn acquire(&self) {
        loop {
            match self.take().await {
                Ok(true) => return,
                Ok(false) => tracing::info!(lease = NAME, "another operator holds the lease"),
                Err(error) => tracing::warn!(%error, lease = NAME, "the lease cannot be taken"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Renews the Lease for as long as that works; comes back when it is lost.
    pub async fn keep(&self) {
        let mut renewed = Instant::now();
        let holds = Duration::from_secs(u64::from(HOLDS_SECONDS.unsigned_abs()));
        while renewed.elapsed() + EVERY < holds {
            tokio::time::sleep(EVERY).await;
            match self.take().await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, lease = NAME, "the lease was not renewed"),
            }
        }
    }

    /// Takes or renews it: written onto what was read, so that of two only one succeeds.
    async fn take(&self) -> Result<bool, kube::Error> {
        let now = k8s_openapi::jiff::Timestamp::now();
        let found = self.leases.get_opt(NAME).await?;
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        if claim(spec, &self.who, Moment(now.as_second())) == Claim::Wait {
            return Ok(false);
        }
        let ours = spec.filter(|spec| spec.holder_identity.as_deref() == Some(&self.who));
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(NAME.into()),
                resource_version: found.as_ref().and_then(|lease| lease.metadata.resource_version.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.who.clone()),
                lease_duration_seconds: Some(HOLDS_SECONDS),
                acquire_time: ours.and_then(|spec| spec.acquire_time.clone()).or(Some(MicroTime(now))),
                renew_time: Some(MicroTime(now)),
                lease_transitions: spec.and_then(|spec| spec.lease_transitions),
                ..LeaseSpec::default()
            }),
        };
        let params = PostParams::default();
        let written = match found {
            Some(_) => self.leases.replace(NAME, &params, &lease).await,
            None => self.leases.create(&params, &lease).await,
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.into()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(k8s_openapi::jiff::Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_taken_that_is_nobodys_ours_or_has_run_out() {
        let now = Moment(1_000);
        assert_eq!(claim(None, "a", now), Claim::Take);
        assert_eq!(claim(Some(&LeaseSpec::default()), "a", now), Claim::Take);
        assert_eq!(claim(Some(&lease("a", 999)), "a", now), Claim::Take);
        assert_eq!(claim(Some(&lease("b", 985)), "a", now), Claim::Wait);
        assert_eq!(claim(Some(&lease("b", 984)), "a", now), Claim::Take);
    }
}
