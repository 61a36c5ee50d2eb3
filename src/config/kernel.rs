//! Names for which the kernel has numbers: resource limits and capabilities.

use crate::config::settings::ResourceLimit;
use crate::config::spelling;
use crate::config::value::items;

/// Number of `RLIMIT_X` for any case of X.
pub fn resource(name: &str) -> Option<u32> {
    let name = name.to_ascii_lowercase();
    if name == "ofile" {
        return resource("nofile");
    }
    RESOURCES.iter().position(|known| *known == name).map(|number| number as u32)
}

/// The name of a resource, in lower case.
pub fn resource_name(resource: u32) -> Option<&'static str> {
    RESOURCES.get(resource as usize).copied()
}

/// All names of resources, in lower case.
pub fn resource_names() -> impl Iterator<Item = &'static str> {
    RESOURCES.iter().copied()
}

/// Value of `rlimit_X`: empty or -1 is infinity.
pub fn resource_limit(resource: u32, text: &str) -> Result<ResourceLimit, String> {
    let text = text.trim().replace('_', "").to_ascii_lowercase();
    let value = match text.as_str() {
        "" | "-1" | "infinity" | "unlimited" => None,
        digits => Some(digits.parse::<u64>().map_err(|_| {
            "is not a whole number; write one from 0 upwards, or nothing for no limit".to_owned()
        })?),
    };
    Ok(ResourceLimit { resource, value: value.filter(|value| *value != u64::MAX) })
}

/// Bit set of capabilities: names with or without `CAP_`, or `none`.
pub fn capabilities(text: &str) -> Result<u64, String> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(0);
    }
    let mut set = 0;
    for (item, place) in items(text).zip(1..) {
        let name = item.to_ascii_lowercase();
        let name = name.strip_prefix("cap_").unwrap_or(&name);
        match CAPABILITIES.iter().position(|known| *known == name) {
            Some(bit) => set |= 1 << bit,
            None => {
                let question = spelling::question(name, CAPABILITIES.iter().copied());
                return Err(format!("has an item {place} that is no capability{question}"));
            }
        }
    }
    match set {
        0 => Err("is empty; write names such as CAP_CHOWN, or none".to_owned()),
        set => Ok(set),
    }
}

/// The names of a bit set of capabilities, or `none`.
pub fn capability_names(set: u64) -> String {
    let names = CAPABILITIES.iter().zip(0..).filter(|(_, bit)| set >> bit & 1 == 1);
    let names: Vec<String> =
        names.map(|(name, _)| format!("CAP_{}", name.to_ascii_uppercase())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// By `RLIMIT_` number, the same on every architecture we build for.
const RESOURCES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

/// By bit.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_become_bits() {
        assert_eq!(capabilities("CAP_NET_BIND_SERVICE, CHOWN"), Ok(1 << 10 | 1));
        assert_eq!(capabilities("checkpoint_restore"), Ok(1 << 40));
        assert_eq!(capabilities("none"), Ok(0));
        for set in [0, 1, 1 << 10 | 1, 1 << 40] {
            assert_eq!(capabilities(&capability_names(set)), Ok(set));
        }
        assert!(capabilities("").is_err());
        assert!(capabilities("net_bind_servce").expect_err("wrong").contains("`net_bind_service`"));
    }

    #[test]
    fn an_empty_limit_is_infinity() {
        assert_eq!(resource("NOFILE"), Some(7));
        assert_eq!(resource("bogus"), None);
        assert_eq!(resource_limit(7, "").map(|limit| limit.value), Ok(None));
        assert_eq!(resource_limit(7, "500").map(|limit| limit.value), Ok(Some(500)));
        assert!(resource_limit(7, "abc").is_err() && resource_limit(7, "-2").is_err());
    }
}
