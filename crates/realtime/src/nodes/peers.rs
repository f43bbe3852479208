//! The other servers, as far as they were heard of.
//!
//! Invariant: who is present at another server is what that server said. Where its count of changes is another one than was heard, all
//! who are present with it are asked for.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::said::{Card, Word};
use crate::hub::Hub;
use crate::told::Topic;

/// All of them.
#[derive(Debug)]
pub(super) struct Peers {
    lease: Duration,
    known: HashMap<Uuid, Peer>,
}

#[derive(Debug)]
struct Peer {
    heard: Instant,
    /// Changes of presence that were heard; nothing while not all are known.
    changes: Option<u64>,
    /// When all were asked for.
    asked: Option<Instant>,
    parts: Vec<Card>,
}

impl Peers {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, known: HashMap::new() }
    }

    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Takes over what a server says of presence. Tells whether it is to be asked for all of it.
    pub(super) fn hear(&mut self, node: Uuid, word: &Word, hub: &Hub) -> bool {
        if matches!(word, Word::Bye) {
            self.known.remove(&node);
            hub.absent_elsewhere(node, &|_, _| false);
            return false;
        }
        let lease = self.lease;
        let new = || Peer { heard: Instant::now(), changes: None, asked: None, parts: Vec::new() };
        let peer = self.known.entry(node).or_insert_with(new);
        peer.heard = Instant::now();
        match word {
            Word::Present { is_private, topic, joins, leaves } => {
                peer.changes = peer.changes.map(|changes| changes.wrapping_add(1));
                let topic = Topic { is_private: *is_private, name: topic.as_str().into() };
                let joins = joins.iter().map(|card| (card.key.clone(), card.entry(node))).collect();
                hub.present_elsewhere(&topic, joins, leaves);
            }
            Word::All { changes, cards, is_last } => {
                peer.parts.extend(cards.iter().cloned());
                if *is_last {
                    (peer.changes, peer.asked) = (Some(*changes), None);
                    replace(node, &std::mem::take(&mut peer.parts), hub);
                }
            }
            Word::Alive { changes } => {
                let is_known = peer.changes == Some(*changes);
                // It may have said more since: what was asked for a moment ago is on its way.
                let is_asked = peer.asked.is_some_and(|asked| asked.elapsed() < lease);
                if !is_known && !is_asked {
                    (peer.asked, peer.parts) = (Some(Instant::now()), Vec::new());
                    return true;
                }
            }
            Word::Broadcast { .. } | Word::Ask { .. } | Word::Gap | Word::Bye => {}
        }
        false
    }

    /// Lets go of those that were silent for too long, and of whoever was present there.
    pub(super) fn drop_lost(&mut self, hub: &Hub) {
        let lease = self.lease;
        for (node, _) in self.known.extract_if(|_, peer| peer.heard.elapsed() > lease) {
            tracing::info!(%node, "another server is heard of no more");
            hub.absent_elsewhere(node, &|_, _| false);
        }
    }
}

fn replace(node: Uuid, cards: &[Card], hub: &Hub) {
    let names: HashSet<Box<str>> = cards.iter().map(|card| card.entry(node).reference).collect();
    hub.absent_elsewhere(node, &|_, entry| names.contains(&entry.reference));
    for card in cards {
        hub.present_elsewhere(&card.channel(), vec![(card.key.clone(), card.entry(node))], &[]);
    }
}
