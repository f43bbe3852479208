//! Which sockets of this process are in which channel, and how all of a channel are told.
//!
//! Invariant: everybody in a channel is told in the same order. A channel is there as long as somebody is in it, or present in it elsewhere.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use kernel::UserId;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::outbox::Outbox;
use crate::presence::{self, Diff, Entry, Holder, Presences};
use crate::replays::Replays;
use crate::system::System;
use crate::told::{Audience, Told, Topic};
use crate::wire::{NULL, Outgoing};

/// Parts of the map, so that one busy channel keeps few others waiting.
const SHARDS: usize = 64;

/// A socket in a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct MemberId(pub(crate) u64);

/// What is known of it there.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that a join wishes by itself")]
pub(crate) struct Member {
    pub(crate) outbox: Arc<Outbox>,
    /// The topic as its client has it, with the prefix.
    pub(crate) topic: Arc<str>,
    /// Whether it hears what it said itself.
    pub(crate) hears_itself: bool,
    pub(crate) hears_broadcast: bool,
    pub(crate) hears_presence: bool,
    /// Who it is, where he is somebody.
    pub(crate) user: Option<UserId>,
    /// What it was told, where it has messages told again.
    pub(crate) replays: Option<Replays>,
    /// Whether it wants to know when what SQL sends is told.
    pub(crate) says_ready: bool,
}

/// The channels of this process.
#[derive(Debug)]
pub(crate) struct Hub {
    node: Uuid,
    hasher: RandomState,
    shards: Vec<RwLock<HashMap<Topic, Arc<Room>>>>,
    next: AtomicU64,
    /// Whether somebody came or went since it was last asked.
    has_changed: AtomicBool,
}

#[derive(Debug, Default)]
struct Room(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    members: HashMap<MemberId, Member>,
    presences: Presences,
}

impl Hub {
    pub(crate) fn new(node: Uuid) -> Self {
        let shards = std::iter::repeat_with(RwLock::default).take(SHARDS).collect();
        Self { node, hasher: RandomState::new(), shards, next: AtomicU64::new(1), has_changed: AtomicBool::new(false) }
    }

    /// Returns which server this is.
    pub(crate) fn node(&self) -> Uuid {
        self.node
    }

    /// Lets a socket in. Where the ref of its join is given, it is told who is present, before any change of that.
    pub(crate) fn join(&self, topic: &Topic, member: Member, join_ref: Option<&str>) -> MemberId {
        let id = MemberId(self.next.fetch_add(1, Ordering::Relaxed));
        self.in_room(topic, |inside| {
            if let Some(join_ref) = join_ref {
                inside.tell_state(&member, join_ref);
            }
            inside.members.insert(id, member);
        });
        id
    }

    /// Lets a socket out, with its presence. Returns what that changed.
    pub(crate) fn leave(&self, topic: &Topic, id: MemberId) -> Diff {
        let holder = Holder { node: self.node, member: id };
        let diff = self.in_room(topic, |inside| {
            inside.members.remove(&id);
            inside.change(topic, |presences| presences.remove(|entry| entry.holder == holder))
        });
        self.tidy(topic);
        self.note_change(&diff);
        diff
    }

    /// Says what a socket may hear from now on.
    pub(crate) fn let_hear(&self, topic: &Topic, id: MemberId, (broadcast, presence): (bool, bool)) {
        if let Some(room) = self.room(topic) {
            let mut inside = room.inside();
            if let Some(member) = inside.members.get_mut(&id) {
                (member.hears_broadcast, member.hears_presence) = (broadcast, presence);
            }
        }
    }

    /// Tells everybody in the channel whom it concerns, but for one who does not want to hear himself. Returns how many were told.
    pub(crate) fn tell(&self, told: &Told, sender: Option<MemberId>) -> usize {
        self.room(&told.topic).map_or(0, |room| room.inside().tell(told, sender))
    }

    /// Tells a socket messages again, but for those that it heard already.
    pub(crate) fn tell_again(&self, topic: &Topic, id: MemberId, messages: &[Told]) {
        let Some(room) = self.room(topic) else { return };
        let mut inside = room.inside();
        let Some(member) = inside.members.get_mut(&id) else { return };
        let new = member.replays.as_mut().map(|replays| replays.again(messages.iter().filter_map(|told| told.id))).unwrap_or_default();
        for told in messages.iter().filter(|told| told.id.is_some_and(|id| new.contains(&id))) {
            if let Some(frame) = told.frame(member.outbox.version()) {
                member.outbox.push(frame.clone());
            }
        }
    }

    /// Tells whether somebody is in a channel here.
    pub(crate) fn is_there(&self, topic: &Topic) -> bool {
        self.room(topic).is_some()
    }

    /// Puts a socket's presence in, unless there are too many. Everybody is told. The diff is for the other servers.
    pub(crate) fn track(
        &self,
        topic: &Topic,
        (id, key): (MemberId, &str),
        payload: Map<String, Value>,
        entries_max: usize,
    ) -> Option<Diff> {
        let holder = Holder { node: self.node, member: id };
        let room = self.room(topic)?;
        let mut inside = room.inside();
        let before = inside.presences.of(holder).map(|(_, reference)| reference.to_owned());
        if before.is_none() && inside.presences.count() >= entries_max {
            return None;
        }
        let entry = presence::entry(holder, payload, before.as_deref());
        let diff = inside.change(topic, |presences| presences.put(key, entry));
        self.note_change(&diff);
        Some(diff)
    }

    /// Takes a socket's presence out.
    pub(crate) fn untrack(&self, topic: &Topic, id: MemberId) -> Diff {
        let holder = Holder { node: self.node, member: id };
        let Some(room) = self.room(topic) else { return Diff::default() };
        let diff = room.inside().change(topic, |presences| presences.remove(|entry| entry.holder == holder));
        self.note_change(&diff);
        diff
    }

    /// Tells a socket who is present, and from then on what changes.
    pub(crate) fn hear_presence(&self, topic: &Topic, id: MemberId, join_ref: &str) {
        let Some(room) = self.room(topic) else { return };
        let mut inside = room.inside();
        if let Some(member) = inside.members.get_mut(&id) {
            member.hears_presence = true;
        }
        if let Some(member) = inside.members.get(&id) {
            inside.tell_state(member, join_ref);
        }
    }

    /// Takes over what another server says of who is present with it.
    pub(crate) fn present_elsewhere(&self, topic: &Topic, joins: Vec<(Box<str>, Entry)>, leaves: &[Box<str>]) {
        self.in_room(topic, |inside| {
            inside.change(topic, |presences| {
                let mut diff = presences.remove(|entry| leaves.contains(&entry.reference));
                // What is known already came with all of them.
                for (key, entry) in joins.into_iter().filter(|(_, entry)| !presences.has(&entry.reference)).collect::<Vec<_>>() {
                    let more = presences.put(&key, entry);
                    diff.joins.extend(more.joins);
                    diff.leaves.extend(more.leaves);
                }
                diff
            })
        });
        self.tidy(topic);
    }

    /// Takes out whoever is present at a server, in all channels but those that are named.
    pub(crate) fn absent_elsewhere(&self, node: Uuid, but: &dyn Fn(&Topic, &Entry) -> bool) {
        for topic in self.topics() {
            if let Some(room) = self.room(&topic) {
                room.inside().change(&topic, |presences| presences.remove(|entry| entry.holder.node == node && !but(&topic, entry)));
            }
            self.tidy(&topic);
        }
    }

    /// Returns who is present at this server.
    pub(crate) fn present_here(&self) -> Vec<(Topic, Box<str>, Entry)> {
        let rooms = self.topics().into_iter().filter_map(|topic| self.room(&topic).map(|room| (topic, room)));
        rooms
            .flat_map(|(topic, room)| {
                let held = room.inside().presences.held_by(self.node);
                held.into_iter().map(move |(key, entry)| (topic.clone(), key, entry))
            })
            .collect()
    }

    /// Tells whether somebody came or went since this was last asked.
    pub(crate) fn take_changed(&self) -> bool {
        self.has_changed.swap(false, Ordering::AcqRel)
    }

    /// Returns who is present at this server in channels of a sort, with the user of each.
    pub(crate) fn people_here(&self, concerns: impl Fn(&Topic) -> bool) -> Vec<(Topic, UserId, Entry)> {
        let rooms = self.topics().into_iter().filter(|topic| concerns(topic));
        rooms
            .filter_map(|topic| self.room(&topic).map(|room| (topic, room)))
            .flat_map(|(topic, room)| {
                let inside = room.inside();
                let user = |entry: &Entry| inside.members.get(&entry.holder.member).and_then(|member| member.user);
                let held = inside.presences.held_by(self.node);
                held.into_iter().filter_map(|(_, entry)| Some((topic.clone(), user(&entry)?, entry))).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Tells everybody in channels of a sort that messages may not have come.
    pub(crate) fn resync(&self, reason: &'static str, concerns: impl Fn(&Topic) -> bool) {
        self.say(|topic, member| (concerns(topic) && member.hears_broadcast).then(|| crate::system::resync(&member.topic, reason, 0)));
    }

    /// Tells whoever wants to know that what SQL sends is told from here on.
    pub(crate) fn ready(&self) {
        self.say(|_, member| member.says_ready.then(|| crate::system::ready(&member.topic)));
    }

    fn say(&self, what: impl Fn(&Topic, &Member) -> Option<System>) {
        for topic in self.topics() {
            let Some(room) = self.room(&topic) else { continue };
            let inside = room.inside();
            for member in inside.members.values() {
                if let Some(said) = what(&topic, member) {
                    member.outbox.tell(&said.frame(member.outbox.version()), &member.topic);
                }
            }
        }
    }

    /// Returns the channels with how many sockets are in each, and how many are present.
    pub(crate) fn sizes(&self) -> Vec<(Topic, usize, usize)> {
        let rooms = self.topics().into_iter().filter_map(|topic| self.room(&topic).map(|room| (topic, room)));
        rooms
            .map(|(topic, room)| {
                let inside = room.inside();
                (topic, inside.members.len(), inside.presences.count())
            })
            .collect()
    }

    fn note_change(&self, diff: &Diff) {
        if !diff.is_empty() {
            self.has_changed.store(true, Ordering::Release);
        }
    }

    fn topics(&self) -> Vec<Topic> {
        let read = |shard: &RwLock<HashMap<Topic, Arc<Room>>>| {
            shard.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect::<Vec<Topic>>()
        };
        self.shards.iter().flat_map(read).collect()
    }

    fn shard(&self, topic: &Topic) -> Option<&RwLock<HashMap<Topic, Arc<Room>>>> {
        let place = usize::try_from(self.hasher.hash_one(topic)).unwrap_or(0) % SHARDS;
        self.shards.get(place)
    }

    fn room(&self, topic: &Topic) -> Option<Arc<Room>> {
        self.shard(topic)?.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    /// Works inside of a room, which is made where there is none, and stays while that lasts.
    fn in_room<T: Default>(&self, topic: &Topic, work: impl FnOnce(&mut Inside) -> T) -> T {
        let Some(shard) = self.shard(topic) else { return T::default() };
        let mut rooms = shard.write().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(topic.clone()).or_default();
        let mut inside = room.inside();
        work(&mut inside)
    }

    /// Lets a room go that nobody is in.
    fn tidy(&self, topic: &Topic) {
        let Some(shard) = self.shard(topic) else { return };
        let mut rooms = shard.write().unwrap_or_else(PoisonError::into_inner);
        let is_empty = rooms.get(topic).is_some_and(|room| {
            let inside = room.inside();
            inside.members.is_empty() && inside.presences.count() == 0
        });
        if is_empty {
            rooms.remove(topic);
        }
    }
}

impl Room {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn tell(&mut self, told: &Told, sender: Option<MemberId>) -> usize {
        let mut count = 0;
        for (id, member) in &mut self.members {
            let hears = match told.audience {
                Audience::Broadcast => member.hears_broadcast,
                Audience::Presence => member.hears_presence,
            };
            if !hears || (sender == Some(*id) && !member.hears_itself) {
                continue;
            }
            if let (Some(replays), Some(id)) = (&mut member.replays, told.id)
                && !replays.comes(id)
            {
                continue;
            }
            if let Some(frame) = told.frame(member.outbox.version()) {
                count += usize::from(member.outbox.tell(frame, &member.topic));
            }
        }
        metrics::counter!("realtime_messages_told_total").increment(count.try_into().unwrap_or(u64::MAX));
        count
    }

    fn tell_state(&self, member: &Member, join_ref: &str) {
        let state = self.presences.state();
        let said = Outgoing { join_ref, reference: NULL, topic: &member.topic, event: "presence_state", payload: &state };
        member.outbox.push(said.frame(member.outbox.version()));
    }

    /// Changes who is present, and tells everybody of it in the same order.
    fn change(&mut self, topic: &Topic, change: impl FnOnce(&mut Presences) -> Diff) -> Diff {
        let diff = change(&mut self.presences);
        if !diff.is_empty() {
            self.tell(&Told::presence(topic.clone(), diff.json()), None);
        }
        diff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::Content;
    use crate::wire::Version;

    fn member(outbox: &Arc<Outbox>, hears_itself: bool) -> Member {
        let outbox = Arc::clone(outbox);
        Member {
            outbox,
            topic: "realtime:room".into(),
            hears_itself,
            hears_broadcast: true,
            hears_presence: true,
            user: None,
            replays: None,
            says_ready: false,
        }
    }

    #[tokio::test]
    async fn public_and_private_channels_of_one_name_are_two() {
        let hub = Hub::new(Uuid::now_v7());
        let public = Topic { is_private: false, name: "room".into() };
        let private = Topic { is_private: true, ..public.clone() };
        let outbox = Arc::new(Outbox::new(Version::Two, 10, 1000));
        let id = hub.join(&public, member(&outbox, false), None);
        let say = |topic: &Topic, sender| hub.tell(&Told::broadcast(topic.clone(), "hi", Content::Json("{}".into()), ""), sender);
        assert_eq!((say(&public, None), say(&private, None), say(&public, Some(id))), (1, 0, 0));
        hub.let_hear(&public, id, (false, true));
        assert_eq!(say(&public, None), 0);
        hub.leave(&public, id);
        assert!(!hub.is_there(&public));
    }

    #[tokio::test]
    async fn presence_of_a_lost_server_goes_and_rooms_with_it() {
        let hub = Hub::new(Uuid::now_v7());
        let topic = Topic { is_private: false, name: "room".into() };
        let other = Holder { node: Uuid::now_v7(), member: MemberId(7) };
        hub.present_elsewhere(&topic, vec![("bob".into(), presence::entry(other, Map::new(), None))], &[]);
        assert_eq!(hub.sizes(), [(topic.clone(), 0, 1)]);
        hub.absent_elsewhere(other.node, &|_, _| false);
        assert!(!hub.is_there(&topic));
    }
}
