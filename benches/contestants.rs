//! Who is compared, how each is told what to run, and how it is asked what it runs.

use crate::clients::Address;
use nix::sys::signal::Signal;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Program and arguments.
pub type Service = Vec<String>;

/// How a contestant is told what to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One command after these words.
    Entrypoint(&'static [&'static str]),
    /// A file with a command a line.
    List,
    /// Circus's ini file, with more lines in the section `[circus]`.
    Ini(&'static str),
    /// A folder with a folder for each service.
    S6,
    Runit,
    Supervisord,
    /// A role of our own program, with an endpoint.
    Echo,
}

#[derive(Debug, Clone)]
pub struct Contestant {
    pub name: &'static str,
    program: PathBuf,
    shape: Shape,
    /// What to measure for its size.
    pub files: Vec<PathBuf>,
    /// Where it comes from.
    pub package: String,
}

impl Contestant {
    /// Can have many children, and starts them again.
    pub fn supervises(&self) -> bool {
        !matches!(self.shape, Shape::Entrypoint(_) | Shape::Echo)
    }

    /// Most children that it can have.
    pub fn children_max(&self) -> usize {
        match self.shape {
            Shape::Echo => 0,
            Shape::Entrypoint(_) => 1,
            Shape::Runit => 999,
            _ => 2000,
        }
    }

    /// Works at its own pace, of a second or more: gets fewer rounds.
    pub fn is_slow(&self) -> bool {
        matches!(self.name, "supervisor" | "circus")
    }

    /// What stops it and its children.
    pub fn stop_signal(&self) -> Signal {
        if self.shape == Shape::Runit { Signal::SIGHUP } else { Signal::SIGTERM }
    }

    /// Kills in the middle of a life come within this time, so that they hit all of its period.
    pub fn period_ms(&self) -> u64 {
        if self.name == "circus" { 5000 } else { 1000 }
    }

    /// Write what it needs to run these; returns its command line.
    pub fn prepare(&self, folder: &Path, services: &[Service]) -> io::Result<Vec<String>> {
        let program = self.program.display().to_string();
        let path = |name: &str| folder.join(name).display().to_string();
        let own = |words: &[&str]| {
            [program.as_str()].iter().chain(words).map(|word| word.to_string()).collect()
        };
        Ok(match self.shape {
            Shape::Entrypoint(words) => {
                let mut command: Vec<String> = own(words);
                command.extend_from_slice(&services[0]);
                command
            }
            Shape::List => {
                let lines: Vec<String> = services.iter().map(|words| words.join(" ")).collect();
                fs::write(path("list"), lines.join("\n"))?;
                own(&[&path("list")])
            }
            Shape::Ini(more) => {
                let sections = sections(services, "watcher:s", "cmd", "");
                fs::write(path("circus.ini"), format!("[circus]\n{more}{sections}"))?;
                own(&[&path("circus.ini")])
            }
            Shape::Supervisord => {
                fs::write(path("supervisord.conf"), supervisord(&path(""), services))?;
                own(&["-c", &path("supervisord.conf")])
            }
            Shape::S6 => {
                service_folders(&folder.join("services"), services)?;
                script(&folder.join("services/.s6-svscan"), "finish", "exit 0")?;
                own(&["-c", "1500", &path("services")])
            }
            Shape::Runit => {
                let root = folder.join("services");
                service_folders(&root, services)?;
                // It waits a second if the folder has changed within the last one.
                let old = SystemTime::now() - Duration::from_secs(3600);
                fs::File::open(&root)?.set_modified(old)?;
                own(&["-P", &path("services")])
            }
            Shape::Echo => own(&["echo", &endpoint(folder)]),
        })
    }

    /// Where it is asked, if it can be.
    pub fn address(&self, folder: &Path) -> Option<Address> {
        match self.shape {
            Shape::Ini(_) | Shape::Echo => Some(Address::ZeroMq(endpoint(folder))),
            Shape::Supervisord => Some(Address::Http(folder.join("control"))),
            Shape::Entrypoint(_) | Shape::List | Shape::S6 | Shape::Runit => None,
        }
    }

    /// The command that people ask it by, with these words after `status`.
    pub fn command(&self, folder: &Path, words: &[&str]) -> Vec<String> {
        let beside = |name| self.program.with_file_name(name).display().to_string();
        let status = |first: [String; 3]| {
            let words = ["status"].into_iter().chain(words.iter().copied());
            first.into_iter().chain(words.map(str::to_string)).collect()
        };
        match self.shape {
            Shape::Echo => {
                vec![self.program.display().to_string(), "ask".to_string(), endpoint(folder)]
            }
            Shape::Supervisord => {
                let path = folder.join("supervisord.conf").display().to_string();
                status([beside("supervisorctl"), "-c".to_string(), path])
            }
            _ => status([beside("circusctl"), "--endpoint".to_string(), endpoint(folder)]),
        }
    }

    /// What makes that command tell of each process, if anything does.
    pub fn words_for_details(&self) -> Option<&'static [&'static str]> {
        match (self.shape, self.name) {
            (Shape::Supervisord, _) => Some(&[]),
            (Shape::Ini(_), "circusd") => Some(&["--detail"]),
            _ => None,
        }
    }
}

/// Where those listen that speak ZeroMQ.
fn endpoint(folder: &Path) -> String {
    format!("ipc://{}", folder.join("control").display())
}

/// A section with a command for each service, and what else each has to say.
fn sections(services: &[Service], title: &str, option: &str, more: &str) -> String {
    let section = |(number, words): (usize, &Service)| {
        format!("\n[{title}{number}]\n{option} = {}\n{more}", words.join(" "))
    };
    services.iter().enumerate().map(section).collect()
}

fn supervisord(folder: &str, services: &[Service]) -> String {
    let more = "autorestart = true\nstdout_logfile = NONE\nstderr_logfile = NONE\n";
    format!(
        "[unix_http_server]\nfile = {folder}control\n[supervisorctl]\n\
         serverurl = unix://{folder}control\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = \
         supervisor.rpcinterface:make_main_rpcinterface\n[supervisord]\nnodaemon = true\nuser = root\nminfds = 10000\nlogfile = {folder}log\n\
         pidfile = {folder}pid\nchildlogdir = {folder}\n{}",
        sections(services, "program:s", "command", more)
    )
}

fn service_folders(root: &Path, services: &[Service]) -> io::Result<()> {
    for (number, words) in services.iter().enumerate() {
        script(&root.join(format!("s{number}")), "run", &format!("exec {}", words.join(" ")))?;
    }
    Ok(())
}

fn script(folder: &Path, name: &str, line: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755))
}

/// Those that are here, and a line for each that is not.
pub fn all(floor: &Path) -> (Vec<Contestant>, Vec<String>) {
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_circusd"));
    let own = |name, program: &Path, shape| Contestant {
        name,
        program: program.to_path_buf(),
        shape,
        files: vec![program.to_path_buf()],
        package: "this project".to_string(),
    };
    let mut present = vec![
        own("floor", floor, Shape::List),
        own("circusd", &ours, IPC),
        own("circusd --", &ours, Shape::Entrypoint(&["--"])),
    ];
    let mut missing = Vec::new();
    let mut consider = |name, found: Option<Contestant>, how: &str| match found {
        Some(contestant) => present.push(contestant),
        None => missing.push(format!("{name} ({how})")),
    };
    for &(name, package, programs, shape) in DEBIAN {
        consider(
            name,
            debian(name, package, programs, shape),
            &format!("apt-get install {package}"),
        );
    }
    let supervisor = python("supervisor", "supervisord", &["supervisor"], Shape::Supervisord)
        .or_else(|| debian("supervisor", "supervisor", &["supervisord"], Shape::Supervisord));
    consider("supervisor", supervisor, "apt-get install supervisor, or pip and PEERS_VENV");
    let circus = python("circus", "circusd", &["circus", "zmq", "tornado", "psutil"], IPC);
    consider("circus", circus, "pip install circus in a virtual environment, and PEERS_VENV");
    (present, missing)
}

/// Those of them that can be asked, after the least that can answer.
pub fn operated(present: &[Contestant]) -> Result<Vec<Contestant>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let package = "this project".to_string();
    let echo = Contestant { name: "echo", program, shape: Shape::Echo, files: vec![], package };
    let can_be = |one: &&Contestant| one.address(Path::new("")).is_some();
    Ok([echo].into_iter().chain(present.iter().filter(can_be).cloned()).collect())
}

/// Name, Debian's package, programs of which the first is PID 1, how it is told what to run.
const DEBIAN: &[(&str, &str, &[&str], Shape)] = &[
    ("tini", "tini", &["tini"], Shape::Entrypoint(&["--"])),
    ("dumb-init", "dumb-init", &["dumb-init"], Shape::Entrypoint(&["--"])),
    ("catatonit", "catatonit", &["catatonit"], Shape::Entrypoint(&["--"])),
    ("s6", "s6", &["s6-svscan", "s6-supervise"], Shape::S6),
    ("runit", "runit", &["runsvdir", "runsv"], Shape::Runit),
];

const IPC: Shape = Shape::Ini("endpoint = ipc://control\npubsub_endpoint = ipc://publications\n");

fn debian(
    name: &'static str,
    package: &str,
    programs: &[&str],
    shape: Shape,
) -> Option<Contestant> {
    let places = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    let find = |program: &&str| {
        places.iter().map(|place| Path::new(place).join(program)).find(|path| path.exists())
    };
    let mut files: Vec<PathBuf> = programs.iter().filter_map(find).collect();
    let program = files.first()?.clone();
    if shape == Shape::Supervisord {
        files = vec![PathBuf::from("/usr/lib/python3/dist-packages/supervisor")];
    }
    let query = ["dpkg-query", "-W", "-f", "${Version}", package];
    let package = format!("Debian {package} {}", output(&query).unwrap_or_default());
    Some(Contestant { name, program, shape, files, package })
}

fn python(name: &'static str, program: &str, modules: &[&str], shape: Shape) -> Option<Contestant> {
    let root = PathBuf::from(std::env::var_os("PEERS_VENV")?);
    let program = root.join("bin").join(program);
    if !program.exists() {
        return None;
    }
    let folders = fs::read_dir(root.join("lib")).ok()?.flatten();
    let packages: Vec<PathBuf> = folders.map(|entry| entry.path().join("site-packages")).collect();
    let in_all = |module| packages.iter().map(move |folder| folder.join(module));
    let files = modules.iter().flat_map(in_all).collect();
    let version = output(&[&program.display().to_string(), "--version"]).unwrap_or_default();
    Some(Contestant { name, program, shape, files, package: format!("PyPI {name} {version}") })
}

/// What a command prints.
pub fn output(words: &[&str]) -> Option<String> {
    let output = std::process::Command::new(words[0]).args(&words[1..]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    (output.status.success() && !text.is_empty()).then_some(text)
}
