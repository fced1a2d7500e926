//! `fleetloom query`: SQL over signals and published tables; rows go out as they come.

mod print;

use crate::Context;
use crate::cli::QueryArgs;
use crate::fault::{Exit, Fault, Result};
use crate::query::{Session, Terms};
use crate::stop::Stop;
use crate::words;
use print::Printer;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};
use tokio::runtime::{Builder, Runtime};

/// How often a query that waits looks whether it was asked to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Asks one statement.
pub(crate) fn query(args: &QueryArgs, context: &Context) -> Result {
    let sql = statement(args)?;
    let whole = words::whole(&args.words())?;
    let (effort, stop) = (args.budget.effort(), context.stop.clone());
    let runtime = runtime(effort.threads)?;
    let terms = Terms { version: args.at.version.clone(), effort, stop: stop.clone() };
    let session = Session::open(&whole, &terms, runtime.handle())?;
    let answered = runtime.block_on(async {
        tokio::select! {
            answered = answer(&session, &sql, args) => answered,
            () = stopped(&stop) => Err(Fault::new(Exit::Stopped, "stopped as asked")),
        }
    });
    // What still reads uses the runtime.
    let left_out = session.finish();
    answered?;
    left_out.iter().for_each(|sentence| context.console.say(sentence));
    Ok(Exit::Done)
}

async fn answer(session: &Session, sql: &str, args: &QueryArgs) -> Result<()> {
    let mut answer = session.ask(sql, args.limit).await?;
    let mut printer = Printer::new(args.format, &answer);
    while let Some(batch) = answer.next().await? {
        if printer.rows(&batch)?.is_break() {
            return Ok(());
        }
    }
    printer.finish()
}

async fn stopped(stop: &Stop) {
    while !stop.asked() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Operators compute on its threads.
fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads.max(2)).enable_all().build()
}

/// The text of the statement.
fn statement(args: &QueryArgs) -> Result<String> {
    match (&args.sql, &args.sql_file) {
        (Some(sql), _) if sql != "-" => Ok(sql.clone()),
        (_, Some(file)) if file != Path::new("-") => fs::read_to_string(file)
            .map_err(|error| Fault::request(format!("{}: cannot be read: {error}", file.display()))),
        _ => {
            let mut sql = String::new();
            let read = io::stdin().read_to_string(&mut sql);
            read.map_err(|error| Fault::request(format!("stdin: cannot be read: {error}")))?;
            Ok(sql)
        }
    }
}
