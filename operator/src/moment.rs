//! A time as Kubernetes writes it: whole seconds of UTC. No clock is read here.

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::borrow::Cow;
use std::fmt;

/// Seconds since the epoch. Written as `2026-11-24T18:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Moment(pub i64);

impl Moment {
    /// The minute that it lies in, counted from the epoch.
    pub fn minute(self) -> i64 {
        self.0.div_euclid(60)
    }

    /// So many seconds later; the end of time where that is beyond it.
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this; negative where it is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first of them from Kubernetes' own type.
    pub fn of(time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time) -> Self {
        Self(time.0.as_second())
    }

    /// The same in jiff's words; what lies beyond its range is its border.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap_or(if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_second())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.timestamp())
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        text.parse::<Timestamp>().map(Self::from).map_err(D::Error::custom)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// `42s`, `3m5s`, `2h10m`, `1d4h`: the two largest units of a span, as kubectl writes ages. Negative ones are `0s`.
pub fn span_text(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    for (size, unit) in units {
        let count = rest / size;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count}{unit}"));
        }
        rest %= size;
    }
    if parts.is_empty() { "0s".into() } else { parts.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_was_written() {
        let text = "\"2026-11-24T18:00:00Z\"";
        let moment: Moment = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&moment).unwrap(), text);
        assert_eq!((moment.minute(), moment.plus(60).since(moment)), (29_925_720, 60));
        assert_eq!(serde_json::from_str::<Moment>("\"2026-11-24T18:00:00.75Z\"").unwrap(), moment);
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in
            [(-3, "0s"), (0, "0s"), (42, "42s"), (185, "3m5s"), (7_800, "2h10m"), (100_801, "1d4h"), (3_601, "1h1s")]
        {
            assert_eq!(span_text(seconds), text);
        }
    }
}
