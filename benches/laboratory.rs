//! What all measurements share: the helper programs, a folder in memory, and how thorough to be.

use crate::board::STARTED;
use crate::container::Container;
use crate::contestants::Contestant;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const FOLDER_PREFIX: &str = "circusd-bench-";

#[derive(Debug)]
pub struct Programs {
    pub enter: PathBuf,
    pub child: PathBuf,
    pub floor: PathBuf,
}

#[derive(Debug)]
pub struct Laboratory {
    pub programs: Programs,
    pub folder: PathBuf,
    pub quick: bool,
}

impl Laboratory {
    /// Compile the helpers into a new folder.
    pub fn open(quick: bool) -> Result<Laboratory, String> {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        remove_old(&root);
        let folder = root.join(format!("{FOLDER_PREFIX}{}", std::process::id()));
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let program = |name| folder.join(name);
        let programs =
            Programs { enter: program("enter"), child: program("child"), floor: program("floor") };
        // From here on the folder is removed whatever happens.
        let laboratory = Laboratory { programs, folder, quick };
        for program in
            [&laboratory.programs.enter, &laboratory.programs.child, &laboratory.programs.floor]
        {
            compile(program)?;
        }
        Ok(laboratory)
    }

    /// Few rounds if it has to be quick.
    pub fn rounds(&self, usual: usize) -> usize {
        if self.quick { 1 } else { usual }
    }

    /// Whether there are namespaces at all.
    pub fn try_out(&self, floor: &Contestant) -> Result<(), String> {
        let mut container = Container::children(self, floor, 1)?;
        match container.board.wait(STARTED, 1, Duration::from_secs(10)) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "no pid namespace can be made here ({error}): run this as root (in a container: \
                 --privileged), or allow user namespaces"
            )),
        }
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What an interrupted run has left.
fn remove_old(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn compile(program: &Path) -> Result<(), String> {
    let name = program.file_name().expect("named above");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name);
    let status = Command::new("cc")
        .args(["-O2", "-static", "-o"])
        .arg(program)
        .arg(source.with_extension("c"))
        .status()
        .map_err(|error| format!("cc: {error} (Debian: apt-get install gcc libc6-dev)"))?;
    if status.success() { Ok(()) } else { Err(format!("cc cannot compile {}", source.display())) }
}
