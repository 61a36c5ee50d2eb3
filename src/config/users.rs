//! Users and groups as /etc/passwd and /etc/group have them. Read by ourselves: a static program
//! must not load the C library's modules for this.

use crate::config::Source;
use crate::config::settings::Identity;
use crate::config::spelling;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// Both files, read when they are first needed.
pub struct Users<'a> {
    source: &'a dyn Source,
    read: OnceCell<Accounts>,
}

/// What is wrong with one of the two options.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongAccount {
    /// `uid` or `gid`.
    pub option: &'static str,
    /// What is wrong and what to do.
    pub text: String,
}

impl<'a> Users<'a> {
    /// Reads nothing yet.
    pub fn new(source: &'a dyn Source) -> Users<'a> {
        Users { source, read: OnceCell::new() }
    }

    /// Whom a process runs as: names or numbers, empty where nothing was asked for. Numbers need
    /// no entry, for a container often has none.
    pub fn identity(&self, uid: &str, gid: &str) -> Result<Option<Box<Identity>>, WrongAccount> {
        if uid.is_empty() && gid.is_empty() {
            return Ok(None);
        }
        let accounts = self.read.get_or_init(|| Accounts::read(self.source));
        let mut identity = Identity { gid: accounts.gid(gid)?, ..Identity::default() };
        if !uid.is_empty() {
            let (number, name) = accounts.user(uid)?;
            let user = name.and_then(|name| accounts.users.get(name));
            identity.uid = Some(number);
            identity.gid = identity.gid.or(user.map(|user| user.gid));
            let mut groups: Vec<u32> = identity.gid.into_iter().collect();
            groups.extend(name.and_then(|name| accounts.members.get(name)).into_iter().flatten());
            crate::sort::sort(&mut groups);
            groups.dedup();
            identity.groups = Some(groups.into());
        }
        Ok(Some(Box::new(identity)))
    }
}

#[derive(Debug, Default)]
struct Accounts {
    users: BTreeMap<Box<str>, User>,
    names: BTreeMap<u32, Box<str>>,
    groups: BTreeMap<Box<str>, u32>,
    members: BTreeMap<Box<str>, Vec<u32>>,
    passwd_trouble: Option<String>,
    group_trouble: Option<String>,
}

#[derive(Debug)]
struct User {
    uid: u32,
    gid: u32,
}

impl Accounts {
    fn read(source: &dyn Source) -> Accounts {
        let mut accounts = Accounts::default();
        match source.read(PASSWD) {
            Ok(content) => accounts.passwd(&String::from_utf8_lossy(&content)),
            Err(reason) => accounts.passwd_trouble = Some(reason),
        }
        match source.read(GROUP) {
            Ok(content) => accounts.group(&String::from_utf8_lossy(&content)),
            Err(reason) => accounts.group_trouble = Some(reason),
        }
        accounts
    }

    /// The first line of a name or number wins, as in getpwnam(3).
    fn passwd(&mut self, text: &str) {
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, ..] = fields[..] else {
                continue;
            };
            let (Ok(uid), Ok(gid)) = (uid.parse::<u32>(), gid.parse::<u32>()) else {
                continue;
            };
            self.users.entry(name.into()).or_insert(User { uid, gid });
            self.names.entry(uid).or_insert(name.into());
        }
    }

    fn group(&mut self, text: &str) {
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, ref members @ ..] = fields[..] else {
                continue;
            };
            let Ok(gid) = gid.parse::<u32>() else {
                continue;
            };
            self.groups.entry(name.into()).or_insert(gid);
            for member in members.first().into_iter().flat_map(|list| list.split(',')) {
                self.members.entry(member.trim().into()).or_default().push(gid);
            }
        }
    }

    fn user(&self, uid: &str) -> Result<(u32, Option<&str>), WrongAccount> {
        if let Some((name, user)) = self.users.get_key_value(uid) {
            return Ok((user.uid, Some(name)));
        }
        let names = self.users.keys().map(|name| &**name);
        let number = number(uid, "uid", "user", PASSWD, &self.passwd_trouble, names)?;
        Ok((number, self.names.get(&number).map(|name| &**name)))
    }

    fn gid(&self, gid: &str) -> Result<Option<u32>, WrongAccount> {
        if gid.is_empty() {
            return Ok(None);
        }
        if let Some(number) = self.groups.get(gid) {
            return Ok(Some(*number));
        }
        let names = self.groups.keys().map(|name| &**name);
        number(gid, "gid", "group", GROUP, &self.group_trouble, names).map(Some)
    }
}

fn number<'a>(
    text: &str,
    option: &'static str,
    what: &str,
    file: &str,
    trouble: &Option<String>,
    known: impl Iterator<Item = &'a str>,
) -> Result<u32, WrongAccount> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // The kernel takes the greatest number for "no change".
    if let Some(number) = text.parse().ok().filter(|number| digits && *number != u32::MAX) {
        return Ok(number);
    }
    let text = match trouble {
        _ if digits => format!("is too great for a {what} id"),
        Some(reason) => format!("cannot be looked up, {file}: {reason}; write the number"),
        None => format!(
            "is no {what} in {file}{}; add it there or write the number",
            spelling::question(text, known)
        ),
    };
    Err(WrongAccount { option, text })
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::Files;

    fn identity(uid: &str, gid: &str) -> Result<Option<Identity>, String> {
        let files = Files::new(&[
            ("/etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65533::/:\nbroken\n"),
            ("/etc/group", "root:x:0:\ndaemon:x:1:nobody,other\nvideo:x:44:nobody\n"),
        ]);
        let found = Users::new(&files).identity(uid, gid);
        found.map(|identity| identity.map(|boxed| *boxed)).map_err(|wrong| wrong.text)
    }

    fn is(
        uid: Option<u32>,
        gid: Option<u32>,
        groups: Option<&[u32]>,
    ) -> Result<Option<Identity>, String> {
        Ok(Some(Identity { uid, gid, groups: groups.map(Box::from) }))
    }

    #[test]
    fn a_user_brings_its_groups_by_name_and_by_number() {
        let expected = is(Some(65534), Some(65533), Some(&[1, 44, 65533]));
        assert_eq!(identity("nobody", ""), expected);
        assert_eq!(identity("65534", ""), expected);
        assert_eq!(identity("nobody", "daemon"), is(Some(65534), Some(1), Some(&[1, 44])));
    }

    #[test]
    fn a_group_alone_leaves_the_others_as_they_are() {
        assert_eq!(identity("", "daemon"), is(None, Some(1), None));
        assert_eq!(identity("", ""), Ok(None));
    }

    #[test]
    fn numbers_need_no_entry_and_names_do() {
        assert_eq!(identity("1000", ""), is(Some(1000), None, Some(&[])));
        assert!(identity("nobdy", "").expect_err("unknown").contains("did you mean `nobody`?"));
        assert!(identity("", "nosuchgroup").is_err());
        assert!(identity("4294967295", "").is_err());
        assert!(identity("-1", "").is_err());
        let none = Files::new(&[]);
        assert!(Users::new(&none).identity("0", "0").is_ok());
        let wrong = Users::new(&none).identity("web", "").expect_err("no file");
        assert!(wrong.text.contains("write the number"));
    }
}
