//! Where words go: data on stdout, everything else on stderr, without tearing a progress bar.

use crate::fault::Fault;
use crate::profile;
use indicatif::MultiProgress;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use tracing_chrome::FlushGuard;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the log is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Layout {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// The process's stderr and stdout. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    bars: MultiProgress,
    color: bool,
    terminal: bool,
}

impl Console {
    /// The console of this process.
    pub(crate) fn new(color: Color) -> Self {
        let terminal = io::stderr().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            Color::Auto => terminal && !no_color,
            Color::Always => true,
            Color::Never => false,
        };
        Self { bars: MultiProgress::new(), color, terminal }
    }

    /// Sends logs to stderr: those of `level` and above of our own parts, warnings of all others. None of the AWS crates: what
    /// they meet is in our own errors, and their texts hold whole answers.
    ///
    /// With `profile`, spans of steps go into that file until what is returned is dropped.
    ///
    /// Errors: that file cannot be created.
    pub(crate) fn log(&self, level: &str, layout: Layout, profile: Option<&Path>) -> Result<Option<FlushGuard>, Fault> {
        let filter = EnvFilter::new(format!(
            "warn,aws_=off,delta_kernel=off,buoyant_kernel=off,buoyant_kernel_engine=off,fleetloom={level},pipeline={level},\
             archive={level},engine={level},table={level},\
             fleetloom_pipeline={level},fleetloom_archive={level},fleetloom_engine={level},fleetloom_table={level}"
        ));
        let logs = fmt::layer().with_ansi(self.color).with_writer(self.clone());
        let logs = match layout {
            Layout::Text => logs.boxed(),
            Layout::Json => logs.json().flatten_event(true).boxed(),
        };
        let (steps, guard) = profile.map(profile::layer).transpose()?.unzip();
        // A second logger in one process (tests) is no harm: the first stays.
        let _ = tracing_subscriber::registry().with(logs.with_filter(filter)).with(steps).try_init();
        Ok(guard)
    }

    /// Whether stderr is a terminal, where bars can be drawn.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether stderr is coloured.
    pub(crate) fn is_colored(&self) -> bool {
        self.color
    }

    /// The bars on stderr.
    pub(crate) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// One line on stderr. A closed stderr is no error: nobody is there to be told.
    pub(crate) fn say(&self, line: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// The error chain, once, with its details.
    pub(crate) fn complain(&self, fault: &Fault) {
        let (red, plain) = if self.color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let mut chain = fault.chain().into_iter();
        self.say(&format!("{red}error:{plain} {}", chain.next().unwrap_or_default()));
        chain.for_each(|cause| self.say(&format!("  because {cause}")));
        fault.details().iter().for_each(|line| self.say(line));
    }
}

/// Text on stdout. A reader that went away (`| head`) is no error.
///
/// Errors: stdout cannot be written, such as a full disk.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| io::Error::new(error.kind(), format!("stdout cannot be written: {error}"))),
    }
}

/// Lines of the log, written while no bar is drawn.
impl<'a> MakeWriter<'a> for Console {
    type Writer = LogWriter<'a>;

    fn make_writer(&'a self) -> LogWriter<'a> {
        LogWriter(&self.bars)
    }
}

/// One log line.
#[derive(Debug)]
pub(crate) struct LogWriter<'a>(&'a MultiProgress);

impl Write for LogWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
