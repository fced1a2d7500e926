//! `fleetloom-operator`: the verbs. `run` drives the controllers until SIGTERM; the others print.

use clap::{Args, Parser, Subcommand};
use operator::context::Context;
use operator::controller::{self, Scope};
use operator::install::{self, Install};
use operator::lease::Holder;
use operator::moment::Moment;
use operator::server::Door;
use operator::{crd, server};
use std::future::Future;
use std::io::Write;
use std::net::{Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};

/// How long an answer may take: a call that gets none must not hold its look for ever. Watches are silent for 290 s at most.
const ANSWER: Duration = Duration::from_secs(310);

/// How long looks that are under way may take to end after SIGTERM: less than the pod is given.
const GRACE: Duration = Duration::from_secs(20);

/// Turns Archives, Pipelines and Runs of a cluster into Jobs, and Jobs into status.
#[derive(Parser)]
#[command(name = "fleetloom-operator", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Drive Runs until SIGTERM; logs are JSON lines on stderr.
    ///
    /// The API server is found as kubectl finds it: KUBECONFIG, ~/.kube/config, or the pod's own service account. RUST_LOG
    /// sets what is logged (info).
    #[command(after_help = "Example: WORKER_IMAGE=registry.local/fleetloom:0.1.0 fleetloom-operator run")]
    Run(RunArgs),
    /// Print the three CustomResourceDefinitions.
    #[command(after_help = "Example: fleetloom-operator crd | kubectl apply --server-side -f -")]
    Crd,
    /// Print the operator's namespace, rights and Deployment.
    #[command(after_help = "Example: fleetloom-operator install --namespace fleetloom-system | kubectl apply -f -")]
    Install(InstallArgs),
    /// Print the version.
    #[command(after_help = "Example: fleetloom-operator version")]
    Version,
}

#[derive(Args)]
struct RunArgs {
    /// The only namespace to look at; empty: all of them [env: WATCH_NAMESPACE].
    #[arg(long)]
    watch_namespace: Option<String>,
    /// Image of workers whose Pipeline names none [env: WORKER_IMAGE].
    #[arg(long)]
    worker_image: Option<String>,
    /// Port of /metrics.
    #[arg(long, default_value_t = 8080)]
    metrics_port: u16,
    /// Port of /healthz and /readyz.
    #[arg(long, default_value_t = 8081)]
    health_port: u16,
    /// Hold a Lease in this namespace, and end when it is lost: for more than one replica.
    #[arg(long, value_name = "NAMESPACE")]
    lease: Option<String>,
}

#[derive(Args)]
struct InstallArgs {
    /// The operator's own namespace.
    #[arg(long, default_value = "fleetloom-system")]
    namespace: String,
    /// The only namespace that it looks at; without it all of them.
    #[arg(long)]
    watch_namespace: Option<String>,
    /// Image of the operator.
    #[arg(long, default_value_t = operator_image())]
    image: String,
    /// Image of the workers.
    #[arg(long, default_value_t = worker_image())]
    worker_image: String,
}

fn operator_image() -> String {
    format!("ghcr.io/fleetloom/fleetloom-operator:{}", env!("CARGO_PKG_VERSION"))
}

fn worker_image() -> String {
    format!("ghcr.io/fleetloom/fleetloom:{}", env!("CARGO_PKG_VERSION"))
}

fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Version => said(&format!("fleetloom-operator {}\n", env!("CARGO_PKG_VERSION"))),
        Verb::Crd => said(&crd::yaml()),
        Verb::Install(args) => said(&install::yaml(&Install {
            namespace: args.namespace,
            image: args.image,
            worker_image: args.worker_image,
            watch_namespace: filled(args.watch_namespace),
        })),
        Verb::Run(args) => run(args),
    }
}

/// Writes to stdout; a closed pipe is no success.
fn said(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(4),
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The flag, else the variable of the environment, if it says something.
fn or_environment(flag: Option<String>, variable: &str) -> Option<String> {
    filled(flag).or_else(|| filled(std::env::var(variable).ok()))
}

fn run(args: RunArgs) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter.unwrap_or_else(|_| "info".into()))
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("the threads of the operator cannot be started", &error),
    };
    // Built beside the worker, whose libraries bring another one, it has to be said which cryptography is meant.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("cryptography was chosen before");
    }
    let code = runtime.block_on(drive(args));
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn drive(args: RunArgs) -> ExitCode {
    let client = match client().await {
        Ok(client) => client,
        Err(error) => return failed("the API server cannot be found; set KUBECONFIG, or run in a pod", error.as_ref()),
    };
    let scope = Scope { namespace: or_environment(args.watch_namespace, "WATCH_NAMESPACE") };
    let image = or_environment(args.worker_image, "WORKER_IMAGE").unwrap_or_else(worker_image);
    let context = Arc::new(Context::new(client.clone(), image, Arc::new(now)));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespace = scope.namespace, image = context.image, "started");
    for (door, port) in [(Door::Metrics, args.metrics_port), (Door::Health, args.health_port)] {
        let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let listener = match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => return failed(&format!("port {port} cannot be listened on"), &error),
        };
        server::start(Arc::clone(&context), scope.clone(), door, listener);
    }
    let stopped = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            async move {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
        }
        (Err(error), _) | (_, Err(error)) => return failed("signals cannot be waited for", &error),
    };
    match args.lease {
        Some(namespace) => leased(context, &scope, Holder::new(client, &namespace, identity()), stopped).await,
        None => until(context, &scope, stopped).await,
    }
}

async fn client() -> Result<kube::Client, Box<dyn std::error::Error>> {
    let mut config = kube::Config::infer().await?;
    config.read_timeout = Some(ANSWER);
    Ok(kube::Client::try_from(config)?)
}

/// Drives the controllers while the Lease is held.
async fn leased(
    context: Arc<Context>,
    scope: &Scope,
    holder: Holder,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> ExitCode {
    let mut stopped = Box::pin(stopped);
    tokio::select! {
        () = holder.acquire() => {}
        () = &mut stopped => return ExitCode::SUCCESS,
    }
    tokio::select! {
        code = until(context, scope, stopped) => code,
        () = holder.keep() => {
            tracing::error!("the lease is lost: another operator may be at work");
            ExitCode::from(4)
        }
    }
}

/// Drives the controllers until it is to stop, and lets what is under way come to its end.
async fn until(context: Arc<Context>, scope: &Scope, stopped: impl Future<Output = ()> + Send + 'static) -> ExitCode {
    let (stop, stopping) = tokio::sync::oneshot::channel();
    // A sender that is gone is a stop too.
    let stopping = Box::pin(async move { stopping.await.unwrap_or_default() });
    let mut controllers = tokio::spawn(controller::run(context, scope, stopping));
    tokio::pin!(stopped);
    tokio::select! {
        () = &mut stopped => {}
        // Started again it may do better; alive and idle it does nothing for anybody.
        ended = &mut controllers => return broke_down(ended),
    }
    tracing::info!("stopping");
    let _ = stop.send(());
    match tokio::time::timeout(GRACE, controllers).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => failed("a controller broke down", &error),
        Err(_) => {
            tracing::warn!("looks that were under way are left: the next operator goes on with them");
            ExitCode::SUCCESS
        }
    }
}

fn broke_down(ended: Result<(), tokio::task::JoinError>) -> ExitCode {
    match ended {
        Ok(()) => tracing::error!("the controllers ended by themselves"),
        Err(error) => tracing::error!(%error, "a controller broke down"),
    }
    ExitCode::from(70)
}

/// Who holds a Lease: the pod's name.
fn identity() -> String {
    filled(std::env::var("HOSTNAME").ok()).unwrap_or_else(|| format!("process-{}", std::process::id()))
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn failed(what: &str, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("fleetloom-operator: {what}: {error}");
    ExitCode::from(4)
}
