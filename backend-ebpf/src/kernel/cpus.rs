//! Which CPUs there are: the possible ones size per-CPU values, the online ones can run things.

use super::Error;

/// CPUs that could ever exist: a per-CPU map value has one part for each, in this order.
pub fn possible() -> Result<Vec<u32>, Error> {
    read("/sys/devices/system/cpu/possible")
}

/// CPUs that are running now.
pub fn online() -> Result<Vec<u32>, Error> {
    read("/sys/devices/system/cpu/online")
}

fn read(path: &str) -> Result<Vec<u32>, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(format!("read {path}"), &error))?;
    parse(&text).ok_or_else(|| Error::other(format!("read {path}"), format!("not a CPU list: {text:?}")))
}

/// A list such as `0-3,8,10-11`.
fn parse(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        // The kernel's own limit (CONFIG_NR_CPUS) is 8192.
        if last > 65_535 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ranges() {
        assert_eq!(parse("0-2,5,7-8\n"), Some(vec![0, 1, 2, 5, 7, 8]));
        assert_eq!(parse("0"), Some(vec![0]));
        assert_eq!(parse(""), None);
        assert_eq!(parse("0-99999999"), None);
    }

    #[test]
    fn this_machine_has_cpus() {
        let online = online().expect("sysfs");
        assert!(!online.is_empty());
        assert!(possible().expect("sysfs").len() >= online.len());
    }
}
