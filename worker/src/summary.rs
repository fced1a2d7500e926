//! The closing summary of a run: what came in, what went out, what was dropped and why, how fast, in how much memory.
//!
//! The same lines serve `show --section account`.

use crate::memory::peak_bytes;
use crate::present::{bytes, count, duration, share};
use archive::listing::Listing;
use engine::account::{Account, Counts, EventAccount, JoinAccount, Members, SignalAccount};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use table::ledger::{Ledger, LineState};

/// Width of the names before the lines.
const NAME_CHARS: usize = 13;

/// What a run came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary<'a> {
    /// Name of the pipeline.
    pub(crate) pipeline: &'a str,
    /// Id of the run.
    pub(crate) run: &'a str,
    /// Hash of the plan.
    pub(crate) plan: &'a str,
    /// Version of the archive that was read.
    pub(crate) source: &'a str,
    /// URL of the table.
    pub(crate) table: &'a str,
    /// The version that holds the rows.
    pub(crate) version: u64,
    /// Whether this run made it; else it was there.
    pub(crate) published: bool,
    /// The whole version's account.
    pub(crate) account: &'a Account,
    /// All shards of the version.
    pub(crate) ledger: &'a Ledger,
    /// What this command read, and how long it took; `None`: it only published.
    pub(crate) read: Option<Read<'a>>,
}

/// What a run read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read<'a> {
    /// The archive as it was listed.
    pub(crate) listing: &'a Listing,
    /// From the first listing to the published version.
    pub(crate) elapsed: Duration,
}

impl Summary<'_> {
    /// Aligned lines for people, ending in a newline.
    pub(crate) fn text(&self) -> String {
        let made = if self.published { "published" } else { "nothing changed" };
        let mut lines = Lines::default();
        lines.add("shards", self.shards());
        if let Some(ignored) = self.read.and_then(|read| ignored(read.listing)) {
            lines.add("ignored", ignored);
        }
        lines.account(self.account);
        if let Some(read) = self.read {
            lines.add("speed", self.speed(read.elapsed));
        }
        lines.add("memory", format!("peak {}", bytes(peak_bytes())));
        lines.add("table", format!("{} version {}", self.table, self.version));
        format!("{}: version {} ({made})\n{}", self.pipeline, self.version, lines.0)
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        let states = LINE_STATES.map(|state| (state.word().to_owned(), json!(self.ledger.count(state))));
        let (json_bytes, stored_bytes) = self.read_bytes();
        json!({
            "pipeline": self.pipeline,
            "run": self.run,
            "plan": self.plan,
            "source": self.source,
            "table": self.table,
            "version": self.version,
            "published": self.published,
            "shards": Value::Object(states.into_iter().collect()),
            "account": self.account,
            "jsonBytesRead": json_bytes,
            "storedBytesRead": stored_bytes,
            "objectsIgnored": self.read.map(|read| read.listing.ignored),
            "elapsedMs": self.read.map(|read| u64::try_from(read.elapsed.as_millis()).unwrap_or(u64::MAX)),
            "peakMemoryBytes": peak_bytes(),
        })
    }

    fn shards(&self) -> String {
        let states = LINE_STATES.map(|state| (state.word(), self.ledger.count(state) as u64));
        let some: Vec<_> =
            states.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{} {word}", count(*n))).collect();
        if some.is_empty() { "none".into() } else { some.join(", ") }
    }

    fn speed(&self, elapsed: Duration) -> String {
        let (json_bytes, stored_bytes) = self.read_bytes();
        let time = duration(elapsed);
        if json_bytes == 0 {
            return format!("nothing read in {time}");
        }
        let per_s = u128::from(json_bytes) * 1_000_000 / elapsed.as_micros().max(1);
        let per_s = u64::try_from(per_s).unwrap_or(u64::MAX);
        format!("{} of JSON ({} stored) in {time}: {}/s", bytes(json_bytes), bytes(stored_bytes), bytes(per_s))
    }

    /// JSON and stored bytes that this run read: those of the shards it computed.
    fn read_bytes(&self) -> (u64, u64) {
        let computed = self.ledger.lines.iter().filter(|line| line.state == LineState::Done);
        let members = computed.filter_map(|line| line.account.as_ref()).map(|account| &account.members);
        members.fold((0, 0), |(json, stored), members| (json + members.json_bytes, stored + members.stored_bytes))
    }
}

/// Objects that the pattern does not match, with some of them: a misspelt name must not vanish without a word.
fn ignored(listing: &Listing) -> Option<String> {
    let Listing { ignored, ignored_examples, .. } = listing;
    let objects = if *ignored == 1 { "object" } else { "objects" };
    let more = if *ignored > ignored_examples.len() as u64 { ", …" } else { "" };
    let examples = ignored_examples.join(", ");
    (*ignored > 0).then(|| format!("{} {objects} that `objects` does not match: {examples}{more}", count(*ignored)))
}

const LINE_STATES: [LineState; 4] = [LineState::Done, LineState::Reused, LineState::Carried, LineState::Failed];

/// The account as aligned lines for people.
pub(crate) fn account_text(account: &Account) -> String {
    let mut lines = Lines::default();
    lines.account(account);
    lines.0
}

/// What is balanced and yet most probably not what was meant: words that do not fit the data lose all of it, and a version that
/// holds nothing of a signal is as valid as any.
fn doubts(account: &Account) -> Vec<String> {
    let mut doubts = Vec::new();
    let documents = account.members.documents;
    for (name, signal) in &account.signals {
        if signal.read == 0 && documents > 0 {
            let met = format!("signal {name}: not one record in {} documents", count(documents));
            doubts.push(format!("{met}; do its `at` and `match` fit them?"));
        } else if signal.read > 0 && signal.kept == 0 {
            let read = count(signal.read);
            doubts.push(format!("signal {name}: none of {read} records was kept; the quarantine has a sample of each"));
        }
    }
    let unmatched = account.joins.iter().filter(|(_, join)| join.rows > 0 && join.matched == 0);
    doubts.extend(unmatched.map(|(name, join)| {
        let rows = count(join.rows);
        format!("join {name}: none of {rows} rows has a match; do the `unit` of its time and the tolerance fit?")
    }));
    doubts
}

/// Lines with a name each.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, what: impl AsRef<str>) {
        self.0.push_str(&format!("  {name:<NAME_CHARS$} {}\n", what.as_ref()));
    }

    fn some(&mut self, name: &str, counts: &Counts) {
        if counts.values().any(|n| *n > 0) {
            self.add(name, words(counts));
        }
    }

    fn account(&mut self, account: &Account) {
        self.members(&account.members);
        self.add("documents", count(account.members.documents));
        self.observations(account.signals.values());
        self.rows(account);
        for (signal, join) in &account.joins {
            self.add(&format!("join {signal}"), join_line(join));
        }
        for (event, onsets) in &account.events {
            self.add(&format!("event {event}"), event_line(onsets));
        }
        let label = &account.label;
        let judged = label.positive + label.negative;
        if judged + label.unknown > 0 {
            let balance = share(label.positive, judged);
            let [yes, no, unknown] = [label.positive, label.negative, label.unknown].map(count);
            self.add("label", format!("{yes} true, {no} false ({balance} true), {unknown} unknown"));
        }
        self.some("failed on rows", &account.expression_errors);
        self.some("NaN on rows", &account.expression_nan);
        doubts(account).iter().for_each(|doubt| self.add("look at", doubt));
    }

    fn members(&mut self, members: &Members) {
        let lost = match members.lost_bytes {
            0 => String::new(),
            lost => format!(", {} of {} stored cannot be read", bytes(lost), bytes(members.stored_bytes)),
        };
        self.add("members", format!("{} read{}{lost}", count(members.read), refused(&members.quarantined)));
    }

    fn observations<'a>(&mut self, signals: impl Iterator<Item = &'a SignalAccount>) {
        let (mut read, mut kept, mut duplicate) = (0, 0, 0);
        let (mut quarantined, mut made_null) = (Counts::new(), Counts::new());
        for signal in signals {
            read += signal.read;
            kept += signal.kept;
            duplicate += signal.duplicate;
            add(&mut quarantined, &signal.quarantined);
            for (kind, counts) in
                [("NaN", &signal.nan), ("infinite", &signal.infinite), ("mismatch", &signal.mismatch_null)]
            {
                let n = counts.values().sum::<u64>();
                *made_null.entry(kind.to_owned()).or_default() += n;
            }
        }
        let refused: u64 = quarantined.values().sum();
        let [read, kept, duplicate, refused] = [read, kept, duplicate, refused].map(count);
        self.add("observations", format!("{read} read: {kept} kept, {duplicate} duplicate, {refused} quarantined"));
        self.some("quarantined", &quarantined);
        self.some("made null", &made_null);
    }

    fn rows(&mut self, account: &Account) {
        let rows = &account.rows;
        let mut parts = vec![format!("{} written: {} valid", count(rows.written), count(rows.valid))];
        let mut also = |n: u64, word: &str, why: &Counts| {
            let why = if why.is_empty() { String::new() } else { format!(" ({})", words(why)) };
            if n > 0 {
                parts.push(format!("{} {word}{why}", count(n)));
            }
        };
        also(rows.invalid.values().sum(), "invalid", &rows.invalid);
        also(rows.dropped.values().sum(), "left out as invalid", &rows.dropped);
        also(rows.filtered, "left out by where", &Counts::new());
        also(rows.too_few_controls, "onsets with too few controls", &Counts::new());
        self.add("rows", parts.join(", "));
        self.some("row kinds", &rows.kinds);
    }
}

fn refused(quarantined: &Counts) -> String {
    if quarantined.values().all(|n| *n == 0) { String::new() } else { format!(", quarantined {}", words(quarantined)) }
}

fn join_line(join: &JoinAccount) -> String {
    let [matched, rows] = [join.matched, join.rows].map(count);
    let [of_rows, ahead] = [share(join.matched, join.rows), share(join.looked_ahead, join.matched)];
    format!("{matched} of {rows} matched ({of_rows}), {ahead} of them looked ahead")
}

fn event_line(event: &EventAccount) -> String {
    let [onsets, censored, refractory] = [event.onsets, event.censored, event.refractory].map(count);
    format!("{onsets} onsets, {censored} censored, {refractory} within refractory")
}

/// `gap 900, event 100`.
pub(crate) fn words(counts: &Counts) -> String {
    let some = counts.iter().filter(|(_, n)| **n > 0);
    some.map(|(word, n)| format!("{word} {}", count(*n))).collect::<Vec<_>>().join(", ")
}

fn add(sum: &mut Counts, more: &BTreeMap<String, u64>) {
    for (word, n) in more {
        *sum.entry(word.clone()).or_default() += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::account::{LabelAccount, RowsAccount};
    use pipeline::time::Span;
    use table::ledger::LedgerLine;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(word, n)| ((*word).to_owned(), *n)).collect()
    }

    fn account() -> Account {
        let pose = SignalAccount {
            read: 1_000,
            kept: 990,
            duplicate: 3,
            quarantined: counts(&[("late", 5), ("mismatch", 2)]),
            nan: counts(&[("score", 4)]),
            ..SignalAccount::default()
        };
        let join = JoinAccount { rows: 200, matched: 199, unmatched: 1, looked_ahead: 90, ..JoinAccount::default() };
        Account {
            members: Members {
                read: 43_200,
                documents: 43_199,
                stored_bytes: 36_900_000,
                lost_bytes: 900,
                json_bytes: 121_500_000,
                quarantined: counts(&[("unreadable", 1)]),
            },
            signals: [("pose".to_owned(), pose)].into(),
            joins: [("pose".to_owned(), join)].into(),
            rows: RowsAccount {
                base: 205,
                written: 200,
                valid: 190,
                invalid: counts(&[("gap", 10)]),
                filtered: 5,
                ..RowsAccount::default()
            },
            events: [("aborted".to_owned(), EventAccount { onsets: 7, censored: 1, refractory: 0 })].into(),
            label: LabelAccount { positive: 20, negative: 170, unknown: 10 },
            expression_errors: counts(&[("effort", 3)]),
            expression_nan: Counts::new(),
        }
    }

    fn ledger(account: &Account) -> Ledger {
        let line = |state| LedgerLine {
            key: "k".into(),
            state,
            reason: String::new(),
            span: Span { from_ns: 0, to_ns: 1 },
            robots: String::new(),
            files: Vec::new(),
            rows: 0,
            account: Some(account.clone()),
            quarantine: None,
            failure: None,
        };
        Ledger { lines: vec![line(LineState::Done), line(LineState::Reused)] }
    }

    fn listing() -> Listing {
        let (objects, source_version) = (Vec::new(), String::new());
        Listing { objects, source_version, ignored: 1, ignored_examples: vec!["notes.txt".into()] }
    }

    fn summary<'a>(account: &'a Account, ledger: &'a Ledger, listing: &'a Listing) -> Summary<'a> {
        Summary {
            pipeline: "aborts",
            run: "r1",
            plan: "3b9c",
            source: "77aa",
            table: "file:///result",
            version: 3,
            published: true,
            account,
            ledger,
            read: Some(Read { listing, elapsed: Duration::from_millis(500) }),
        }
    }

    #[test]
    fn what_lost_everything_is_pointed_at() {
        let mut all = account();
        assert!(doubts(&all).is_empty());
        all.signals.insert("odometry".to_owned(), SignalAccount::default());
        let late = SignalAccount { read: 7, quarantined: counts(&[("late", 7)]), ..SignalAccount::default() };
        all.signals.insert("battery".to_owned(), late);
        all.joins.insert("battery".to_owned(), JoinAccount { rows: 200, unmatched: 200, ..JoinAccount::default() });
        let places: Vec<String> =
            doubts(&all).iter().filter_map(|doubt| Some(doubt.split_once(':')?.0.to_owned())).collect();
        assert_eq!(places, ["signal battery", "signal odometry", "join battery"]);
        assert!(doubts(&Account { members: Members::default(), ..all }).len() == 2);
    }

    #[test]
    fn the_summary_tells_everything_once() {
        let account = account();
        let ledger = ledger(&account);
        let text = summary(&account, &ledger, &listing()).text();
        let lines: Vec<_> = text.lines().filter(|line| !line.contains("memory")).collect();
        assert_eq!(
            lines,
            [
                "aborts: version 3 (published)",
                "  shards        1 done, 1 reused",
                "  ignored       1 object that `objects` does not match: notes.txt",
                "  members       43,200 read, quarantined unreadable 1, 900 B of 36.9 MB stored cannot be read",
                "  documents     43,199",
                "  observations  1,000 read: 990 kept, 3 duplicate, 7 quarantined",
                "  quarantined   late 5, mismatch 2",
                "  made null     NaN 4",
                "  rows          200 written: 190 valid, 10 invalid (gap 10), 5 left out by where",
                "  join pose     199 of 200 matched (99.5 %), 45.2 % of them looked ahead",
                "  event aborted 7 onsets, 1 censored, 0 within refractory",
                "  label         20 true, 170 false (10.5 % true), 10 unknown",
                "  failed on rows effort 3",
                "  speed         122 MB of JSON (36.9 MB stored) in 0.50 s: 243 MB/s",
                "  table         file:///result version 3",
            ]
        );
    }

    #[test]
    fn programs_get_the_account_itself() {
        let account = account();
        let ledger = ledger(&account);
        let json = summary(&account, &ledger, &listing()).json();
        assert_eq!(json["shards"], json!({"done": 1, "reused": 1, "carried": 0, "failed": 0}));
        assert_eq!(serde_json::from_value::<Account>(json["account"].clone()).unwrap(), account);
        assert_eq!(json["jsonBytesRead"], 121_500_000);
    }

    #[test]
    fn the_peak_of_this_process_is_known_on_linux() {
        assert!(peak_bytes() > 100_000);
    }
}
