//! A directory in which sockets of ours are bound, and the locks that tell another circusd so. Nothing
//! in it is ever removed but a socket that nobody serves, and nothing is reached through a link.

use super::listen::{Attempt, Obstacle};
use crate::process::Pid;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, mkdir, read, unlinkat, write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

/// A directory, held open so that it stays the one that was looked at.
#[derive(Debug, Clone)]
pub struct Directory {
    path: Box<str>,
    opened: Rc<OwnedFd>,
    /// Ours.
    uid: u32,
}

/// Nobody else who asks for it has this lock, as long as this lives. Its file stays for ever: were it
/// removed, two could have the lock of two files of the same name.
#[derive(Debug)]
pub struct Lock {
    _file: Option<Flock<OwnedFd>>,
}

/// A file that we made; removed when dropped, unless another one is there by then.
#[derive(Debug)]
pub struct SocketFile {
    directory: Directory,
    name: Box<str>,
    identity: (libc::dev_t, libc::ino_t),
}

impl Directory {
    /// A directory of our own, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or what is there is no directory of ours.
    pub fn own(path: &str) -> Result<Directory, Obstacle> {
        match mkdir(path, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(Obstacle::refused(Attempt::MakeDirectory, errno)),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let directory = open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ENOTDIR | Errno::ELOOP => Obstacle::NoDirectory,
            // A directory that we may not even read.
            _ => Obstacle::refused(Attempt::OpenDirectory, errno),
        })?;
        let status =
            fstat(&directory).map_err(|errno| Obstacle::refused(Attempt::OpenDirectory, errno))?;
        let uid = super::identity::uid();
        if status.st_uid != uid {
            return Err(Obstacle::BelongsTo(status.st_uid));
        }
        Ok(Directory { path: path.into(), opened: Rc::new(directory), uid })
    }

    /// Let nobody else change anything in it, and others pass through it to a socket only if
    /// `passable` says so. For whoever has the lock: the directory may be another circusd's.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn restrict(&self, passable: Passable) -> Result<(), Obstacle> {
        let refused = |errno| Obstacle::refused(Attempt::Tighten, errno);
        let mode = Mode::from_bits_truncate(passable.mode());
        let status = fstat(&*self.opened).map_err(refused)?;
        if status.st_mode & 0o7777 != mode.bits() {
            fchmod(&*self.opened, mode).map_err(refused)?;
        }
        Ok(())
    }

    /// The directory of a path, whoever it belongs to, and the name in it.
    ///
    /// # Errors
    /// It is not there.
    pub fn of(path: &str) -> Result<(Directory, &str), Obstacle> {
        let (directory, name) = match path.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some(parts) => parts,
            None => (".", path),
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = open(directory, flags, Mode::empty())
            .map_err(|errno| Obstacle::refused(Attempt::OpenDirectory, errno))?;
        let (path, opened) = (directory.into(), Rc::new(opened));
        Ok((Directory { path, opened, uid: super::identity::uid() }, name))
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.path.trim_end_matches('/'))
    }

    /// Take the lock of this name, a file in which our pid is written. Where the file system has no
    /// locks, there is none to be taken, and none that another one holds.
    ///
    /// # Errors
    /// Somebody has it, or the file cannot be made.
    pub fn lock(&self, name: &str) -> Result<Lock, Obstacle> {
        let refused = |errno| Obstacle::refused(Attempt::Lock, errno);
        let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let new = OFlag::O_CREAT | OFlag::O_EXCL;
        let file = match openat(&*self.opened, name, flags | new, mode) {
            Err(Errno::EEXIST) => {
                let file =
                    openat(&*self.opened, name, flags, mode).map_err(|errno| match errno {
                        Errno::ELOOP | Errno::EISDIR | Errno::ENXIO => Obstacle::SuspectLock,
                        _ => refused(errno),
                    })?;
                // Nothing that another name leads to, or that is another's, is ever written to.
                let status = fstat(&file).map_err(refused)?;
                let is_ours = status.st_uid == self.uid && status.st_nlink == 1;
                if FileKind::of(&status) != FileKind::Regular || !is_ours {
                    return Err(Obstacle::SuspectLock);
                }
                file
            }
            result => result.map_err(refused)?,
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => {
                // As long as any pid, so that nothing of an older one is left.
                let text = format!("{:<10}\n", super::identity::pid());
                // What cannot be written is only missing in the other one's message.
                let _ = write(&*file, text.as_bytes());
                Ok(Lock { _file: Some(file) })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(Obstacle::Locked(written_pid(file.as_fd()))),
            Err(_) => Ok(Lock { _file: None }),
        }
    }

    /// What is there under a name.
    pub(super) fn status(&self, name: &str) -> nix::Result<FileStat> {
        fstatat(&*self.opened, name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// The descriptor of the directory.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.opened.as_fd()
    }

    /// Remove a file that we know.
    pub(super) fn remove(&self, name: &str) -> nix::Result<()> {
        unlinkat(&*self.opened, name, UnlinkatFlags::NoRemoveDir)
    }
}

fn written_pid(file: BorrowedFd<'_>) -> Option<Pid> {
    let mut text = [0; 16];
    let length = read(file, &mut text).ok()?;
    Pid::new(std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()?)
}

impl SocketFile {
    /// The socket that we have just bound there, with at most these permissions.
    pub(super) fn ours(
        directory: &Directory,
        name: &str,
        mode: u32,
    ) -> Result<SocketFile, Obstacle> {
        let status =
            directory.status(name).map_err(|errno| Obstacle::refused(Attempt::Bind, errno))?;
        let kind = FileKind::of(&status);
        if kind != FileKind::Socket || status.st_uid != directory.uid {
            return Err(Obstacle::Occupied(kind));
        }
        let identity = (status.st_dev, status.st_ino);
        let file = SocketFile { directory: directory.clone(), name: name.into(), identity };
        match status.st_mode & 0o777 & !mode {
            0 => Ok(file),
            _ => Err(Obstacle::NoPermissions),
        }
    }
}

impl SocketFile {
    /// It is still what we have made.
    pub(super) fn is_there(&self) -> bool {
        let status = self.directory.status(&self.name);
        status.is_ok_and(|status| (status.st_dev, status.st_ino) == self.identity)
    }

    /// Give it these permissions and this owner, where it has others: this very file, whatever somebody
    /// who may write in its directory puts in its place.
    pub(super) fn change(
        &self,
        mode: u32,
        (owner, group): (Option<u32>, Option<u32>),
    ) -> Result<(), Obstacle> {
        let refused = |errno| Obstacle::refused(Attempt::Own, errno);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&*self.directory.opened, &*self.name, flags, Mode::empty());
        let file = file.map_err(refused)?;
        let status = fstat(&file).map_err(refused)?;
        if (status.st_dev, status.st_ino) != self.identity {
            return Err(Obstacle::Occupied(FileKind::of(&status)));
        }
        if owner.is_some_and(|uid| uid != status.st_uid)
            || group.is_some_and(|gid| gid != status.st_gid)
        {
            let (owner, group) = (owner.map(Uid::from_raw), group.map(Gid::from_raw));
            fchownat(&file, "", owner, group, AtFlags::AT_EMPTY_PATH).map_err(refused)?;
        }
        if status.st_mode & 0o777 != mode {
            // A descriptor of this kind takes no other way.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, permissions)
                .map_err(|error| refused(Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
        }
        Ok(())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let status = self.directory.status(&self.name);
        if status.is_ok_and(|status| (status.st_dev, status.st_ino) == self.identity) {
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// Who may pass through a private directory to the sockets in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passable {
    /// Only its owner.
    No,
    /// Its group too.
    ToGroup,
    /// Everybody.
    ToAll,
}

impl Passable {
    fn mode(self) -> u32 {
        match self {
            Passable::No => 0o700,
            Passable::ToGroup => 0o710,
            Passable::ToAll => 0o711,
        }
    }
}

/// What can be there under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A socket.
    Socket,
    /// A pipe or a device.
    Other,
}

impl FileKind {
    pub(super) fn of(status: &FileStat) -> FileKind {
        match SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => FileKind::Regular,
            SFlag::S_IFDIR => FileKind::Directory,
            SFlag::S_IFLNK => FileKind::Link,
            SFlag::S_IFSOCK => FileKind::Socket,
            _ => FileKind::Other,
        }
    }
}
