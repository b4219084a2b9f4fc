//! What fires at the same time becomes one program, for the way to a program is most of its price.

use super::{Attach, Plan};
use crate::codegen::{ArgSource, Hook, ProbeIdentity, SiteGroup};
use crate::kernel::link::Site;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

impl Plan {
    /// Makes one program of what fires together: at the entry and at the return of the same functions, for a session
    /// passes the entry anyway; and at the same ticks, for a timer costs more than most programs.
    pub(super) fn join(&mut self) {
        let mut gone = BTreeSet::new();
        for group in 0..self.groups.len() {
            let other = self.entry_of(group).or_else(|| self.same_ticks(group));
            let Some(other) = other.filter(|other| !gone.contains(other) && !gone.contains(&group)) else {
                continue;
            };
            self.share_cookie(group, other);
            let joined = self.groups.get(other).cloned();
            let probes = self.probes.get(other).cloned().unwrap_or_default();
            if let Some(group) = self.groups.get_mut(group) {
                group.also = joined.map(Box::new);
            }
            if let Some(all) = self.probes.get_mut(group) {
                all.extend(probes);
            }
            gone.insert(other);
        }
        for other in gone.into_iter().rev() {
            self.groups.remove(other);
            self.attach.remove(other);
            self.probes.remove(other);
        }
        self.index.clear();
    }

    /// The cookie's lower half stays the probe at the entry, the upper one becomes that at the return.
    fn share_cookie(&mut self, back: usize, entry: usize) {
        let Some(Attach::Uprobes { files: entries, .. }) = self.attach.get(entry).cloned() else { return };
        let Some(Attach::Uprobes { files, .. }) = self.attach.get_mut(back) else { return };
        for (path, sites) in files {
            for site in sites {
                let at = |other: &&Site| other.offset == site.offset;
                let below = entries.get(path).and_then(|sites| sites.iter().find(at));
                site.cookie = site.cookie << 32 | below.map_or(0, |site| site.cookie);
            }
        }
        if let Some(group) = self.groups.get_mut(back)
            && group.identity == ProbeIdentity::Cookie
        {
            group.identity = ProbeIdentity::CookieHigh;
        }
    }

    /// An earlier group of one probe that ticks as this one does, on every processor.
    fn same_ticks(&self, group: usize) -> Option<usize> {
        let timer = |at: usize| match (self.groups.get(at)?, self.attach.get(at)?) {
            (SiteGroup { identity: ProbeIdentity::Const(_), also: None, .. }, Attach::Timers(timers)) => {
                timers.first().filter(|timer| timers.len() == 1 && timer.every_cpu)
            }
            _ => None,
        };
        let own = timer(group)?;
        (0..group).find(|other| timer(*other).is_some_and(|timer| timer.ticks == own.ticks))
    }

    /// The group that fires where the returns of this one are traced from, if a program can be both.
    fn entry_of(&self, back: usize) -> Option<usize> {
        let session = self.groups.get(back).filter(|group| group.session)?;
        let Some(Attach::Uprobes { pid, files, at_return: true }) = self.attach.get(back) else {
            return None;
        };
        // It has one probe at a place, and needs no other half of the cookie.
        let plain = |group: &SiteGroup| {
            group.hook == Hook::Uprobe
                && !group.session
                && group.keep.is_none()
                && group.condition.is_none()
                && group.filter == session.filter
                && !group.args.contains(&ArgSource::CookieHigh)
        };
        let single = |files: &BTreeMap<Arc<PathBuf>, Vec<Site>>| {
            files.values().all(|sites| {
                let places: BTreeSet<u64> = sites.iter().map(|site| site.offset).collect();
                places.len() == sites.len() && sites.iter().all(|site| site.cookie >> 32 == 0)
            })
        };
        let fits = |entry: &usize| {
            let Some(Attach::Uprobes { pid: other, files: more, at_return: false }) = self.attach.get(*entry)
            else {
                return false;
            };
            self.groups.get(*entry).is_some_and(plain)
                && other == pid
                && single(files)
                && single(more)
                && same_places(files, more)
        };
        (0..self.groups.len()).find(fits).filter(|_| !session.args.contains(&ArgSource::CookieHigh))
    }
}

/// Do these files have probes at the same places?
fn same_places(one: &BTreeMap<Arc<PathBuf>, Vec<Site>>, other: &BTreeMap<Arc<PathBuf>, Vec<Site>>) -> bool {
    let places =
        |sites: &[Site]| sites.iter().map(|site| (site.offset, site.ref_ctr_offset)).collect::<BTreeSet<_>>();
    let alike =
        |(path, sites): (_, &Vec<Site>)| other.get(path).is_some_and(|more| places(sites) == places(more));
    one.len() == other.len() && one.iter().all(alike)
}
