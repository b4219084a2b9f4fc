//! Tick and profile probes on virtual time: they fire when an event's time has come past theirs.

use duotrace_core::options::rate;

/// Period in nanoseconds of `tick-1s`, `profile-997`; `None` when it is no such name.
pub(super) fn period(name: &str) -> Option<u64> {
    rate(name.strip_prefix("profile-").or_else(|| name.strip_prefix("tick-"))?)
}

/// Firings of a timer between two events at most: a recording whose clock jumps by years must not keep a replay busy
/// for years.
const MOST: u64 = 10_000_000;

/// Timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// When it is due next, its period, its probe.
    running: Vec<(u64, u64, u32)>,
    /// Firings that were left out since somebody asked.
    left_out: u64,
}

impl Timers {
    /// Starts timers at a time.
    pub fn start(now: u64, periods: impl Iterator<Item = (u32, u64)>) -> Timers {
        let running = periods.map(|(probe, period)| (now.saturating_add(period), period, probe)).collect();
        Timers { running, left_out: 0 }
    }

    /// Firings that were left out since the last call.
    pub fn left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// The timer that is due first, by `now` at the latest: its time and probe.
    pub fn due(&mut self, now: u64) -> Option<(u64, u32)> {
        let (at, period, probe) = self.running.iter_mut().min_by_key(|(at, _, probe)| (*at, *probe))?;
        if *at > now {
            return None;
        }
        let more = ((now - *at) / *period).saturating_sub(MOST);
        *at += more * *period;
        self.left_out = self.left_out.saturating_add(more);
        let fired = (*at, *probe);
        *at = at.saturating_add(*period);
        Some(fired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_the_order_of_their_times() {
        assert_eq!(period("tick-1s"), Some(1_000_000_000));
        assert_eq!(period("profile-1000hz"), Some(1_000_000));
        assert_eq!((period("tick-0"), period("tick-1x"), period("tock-1")), (None, None, None));
        let mut timers = Timers::start(100, [(1, 10), (2, 15)].into_iter());
        let fired: Vec<(u64, u32)> = std::iter::from_fn(|| timers.due(130)).collect();
        assert_eq!(fired, [(110, 1), (115, 2), (120, 1), (130, 1), (130, 2)]);
        assert_eq!(timers.left_out(), 0);
    }

    #[test]
    fn a_clock_that_jumps_does_not_fire_for_ever() {
        let mut timers = Timers::start(0, std::iter::once((1, 1_000_000)));
        let fired = std::iter::from_fn(|| timers.due(u64::MAX - 5)).count() as u64;
        assert_eq!(fired, MOST + 1);
        assert_eq!(fired + timers.left_out(), (u64::MAX - 5) / 1_000_000);
    }
}
