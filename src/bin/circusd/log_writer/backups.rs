//! Old files of a log: how they are called, how they make room for the next one.

use std::fs;
use std::io;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What compressed ones end in.
pub const COMPRESSED: &str = ".gz";
/// What is not a compressed one yet.
const UNFINISHED: &str = ".gz.part";

/// `f` becomes `f.1`, `f.1` becomes `f.2`, and so on up to `f.COUNT`, which is dropped.
pub fn shift(base: &str, count: u32) -> io::Result<()> {
    let mut last = 0;
    while last < count && exists(base, last + 1) {
        last += 1;
    }
    for index in (1..=last).rev() {
        for end in ["", COMPRESSED] {
            let old = format!("{base}.{index}{end}");
            let result = match index == count {
                true => fs::remove_file(&old),
                false => fs::rename(&old, format!("{base}.{}{end}", index + 1)),
            };
            result.or_else(unless_missing)?;
        }
    }
    fs::rename(base, format!("{base}.1")).or_else(unless_missing)
}

fn exists(base: &str, index: u32) -> bool {
    ["", COMPRESSED].iter().any(|end| fs::symlink_metadata(format!("{base}.{index}{end}")).is_ok())
}

/// `f` becomes `f.SUFFIX`; what has that name already is kept under another one.
pub fn put_away(base: &str, suffix: &str) -> io::Result<()> {
    let is_free = |name: &str| {
        ["", COMPRESSED].iter().all(|end| fs::symlink_metadata(format!("{name}{end}")).is_err())
    };
    let name = format!("{base}.{suffix}");
    let more = (1..).map(|number| format!("{name}.{number:03}"));
    let name = std::iter::once(name.clone()).chain(more).find(|name| is_free(name));
    fs::rename(base, name.unwrap_or_default()).or_else(unless_missing)
}

/// Drop the oldest of those whose suffix has so many digits. `count` 0 keeps all.
pub fn drop_oldest(base: &str, digits: usize, count: u32) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut all = list(base)?;
    all.retain(|(rest, _)| is_dated(rest.strip_suffix(COMPRESSED).unwrap_or(rest), digits));
    all.sort_by(|(a, _), (b, _)| {
        let bare = |text: &str| text.trim_end_matches(COMPRESSED).to_owned();
        bare(a).cmp(&bare(b))
    });
    let excess = all.len().saturating_sub(count as usize);
    for (_, path) in all.iter().take(excess) {
        fs::remove_file(path).or_else(unless_missing)?;
    }
    Ok(())
}

/// A suffix with so many digits, and perhaps a number after it.
pub fn is_dated(rest: &str, digits: usize) -> bool {
    let (date, number) = rest.split_once('.').unwrap_or((rest, "0"));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    date.len() == digits && is_number(date) && is_number(number)
}

/// The inodes of those whose suffix is such a one.
pub fn plain(base: &str, is_ours: impl Fn(&str) -> bool) -> Vec<u64> {
    let all = list(base).unwrap_or_default().into_iter().filter(|(rest, _)| is_ours(rest));
    all.filter_map(|(_, path)| fs::symlink_metadata(path).ok())
        .filter(|data| data.is_file())
        .map(|data| data.st_ino())
        .collect()
}

/// The old file with this inode, whatever it is called by now.
pub fn find(base: &str, inode: u64) -> Option<PathBuf> {
    let is_it = |path: &Path| fs::symlink_metadata(path).is_ok_and(|data| data.st_ino() == inode);
    list(base).ok()?.into_iter().map(|(_, path)| path).find(|path| is_it(path))
}

/// Where an old file is compressed to before it takes that one's place.
pub fn unfinished(base: &str) -> PathBuf {
    PathBuf::from(format!("{base}{UNFINISHED}"))
}

/// What comes after `base.` in the names of its folder, and the paths.
fn list(base: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let base = Path::new(base);
    let Some(name) = base.file_name() else { return Ok(Vec::new()) };
    let name = name.to_string_lossy();
    let folder = base.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new(".")))?;
    let rest = |entry: fs::DirEntry| {
        let entry_name = entry.file_name();
        let rest = entry_name.to_str()?.strip_prefix(&*name)?.strip_prefix('.')?;
        Some((rest.to_owned(), entry.path()))
    };
    Ok(entries.flatten().filter_map(rest).collect())
}

fn unless_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("backups-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).expect("a folder");
            Folder(path)
        }

        fn base(&self) -> String {
            self.0.join("f").display().to_string()
        }

        fn put(&self, name: &str) {
            fs::write(self.0.join(name), name).expect("written");
        }

        fn all(&self) -> Vec<String> {
            let read = |entry: fs::DirEntry| {
                let text = fs::read_to_string(entry.path()).expect("text");
                format!("{}={text}", entry.file_name().display())
            };
            let mut all: Vec<_> = fs::read_dir(&self.0).expect("it").flatten().map(read).collect();
            all.sort();
            all
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn old_files_move_on_and_the_last_one_is_dropped() {
        let folder = Folder::new("shift");
        for name in ["f", "f.1", "f.2.gz", "f.3", "f.x"] {
            folder.put(name);
        }
        shift(&folder.base(), 3).expect("shifted");
        assert_eq!(folder.all(), ["f.1=f", "f.2=f.1", "f.3.gz=f.2.gz", "f.x=f.x"]);
        shift(&folder.base(), 3).expect("there is no file to begin with");
        assert_eq!(folder.all(), ["f.2=f", "f.3=f.1", "f.x=f.x"]);
    }

    #[test]
    fn dated_files_are_kept_and_the_oldest_dropped() {
        let folder = Folder::new("dated");
        for name in ["f", "f.20240101", "f.20240102.gz", "f.20240102.001", "f.2024", "f.20240103x"]
        {
            folder.put(name);
        }
        put_away(&folder.base(), "20240102").expect("renamed");
        drop_oldest(&folder.base(), 8, 0).expect("nothing");
        assert_eq!(folder.all().len(), 6);
        drop_oldest(&folder.base(), 8, 2).expect("dropped");
        let expected = [
            "f.20240102.001=f.20240102.001",
            "f.20240102.002=f",
            "f.20240103x=f.20240103x",
            "f.2024=f.2024",
        ];
        assert_eq!(folder.all(), expected);
    }
}
