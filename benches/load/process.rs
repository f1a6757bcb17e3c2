//! The processes of a run: started on a core, observed through `/proc`, ended with the run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// How long a process may take to listen; under callgrind everything takes fifty times as long.
const STARTING: Duration = Duration::from_secs(60);

/// `utime` and `stime` of `/proc/PID/stat` are in ticks of `USER_HZ`, which is 100 on every architecture in use (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process of ours, killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
}

/// Which stream carries the line that says where a process listens.
#[derive(Clone, Copy)]
pub(crate) enum Speaks {
    /// `{"event":"listening","addr":…}` on stdout.
    Stdout,
    /// `{"event":"listening","data":…}` on stderr, between logs.
    Stderr,
}

impl Process {
    /// Starts `command` (program and arguments) on `core` and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen in time.
    pub(crate) fn start(core: usize, command: &[String], speaks: Speaks) -> anyhow::Result<Self> {
        let mut start = Command::new("taskset");
        start
            .args(["--cpu-list", &core.to_string()])
            .args(command)
            .stdin(Stdio::null())
            .env("LOAD_API_KEY", "none");
        match speaks {
            Speaks::Stdout => start.stdout(Stdio::piped()),
            Speaks::Stderr => start.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let mut child = start.spawn().context("cannot run taskset, which is part of util-linux")?;
        let stream: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(stdout), _) => Box::new(stdout),
            (None, Some(stderr)) => Box::new(stderr),
            (None, None) => Box::new(std::io::empty()),
        };
        let (says, heard) = sync_channel(1);
        std::thread::spawn(move || listen(stream, &says));
        let address = heard.recv_timeout(STARTING);
        let process = Self { child, address: address.unwrap_or_else(|_| SocketAddr::from(([0; 4], 0))) };
        ensure!(address.is_ok(), "`{}` did not come to listen", command.join(" "));
        Ok(process)
    }

    /// CPU seconds used so far, user and system.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = self.proc("stat")?;
        // The name in brackets may contain anything, so count from the last bracket: utime and stime are fields 14 and 15.
        let fields = stat.rsplit_once(')').context("/proc/PID/stat is not what it was")?.1;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Memory held in RAM, in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?.parse()?;
        Ok(kib << 10)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(Path::new(&path)).context("a process of the run is gone")
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end so that the process never waits for its reader. Says the address; shows what has gone wrong.
fn listen(stream: impl Read, says: &SyncSender<SocketAddr>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.contains(r#""event":"listening""#) {
            // Nobody hears it after the deadline.
            let _ = address(&line).map(|address| says.try_send(address));
        } else if !line.starts_with('{') || line.contains(r#""level":"ERROR""#) {
            eprintln!("{line}");
        }
    }
}

fn address(line: &str) -> Option<SocketAddr> {
    let event: Value = serde_json::from_str(line).ok()?;
    ["addr", "data"].iter().find_map(|key| event[key].as_str()?.parse().ok())
}
