//! The items that need resources: which of them starts next.
//!
//! Items that need the same form a class, and wait in collection order. A block is what stays together: one item, a
//! chain, or in the unit modes a unit. A worker stays with the class it is at while it can, since then nothing changes hands; then
//! comes the class that has most left to do for its share of what it needs, because that will take longest.
//!
//! No class is overtaken for ever: once [`PATIENCE`] blocks that share a resource with it have gone before it, what it
//! needs is kept free for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use outpace_model::{ItemIndex, WorkerIndex};

use crate::facts::Facts;
use crate::holdings::Holdings;
use crate::runs::Runs;

/// How often a class that waits may be overtaken by others that use what it needs.
pub(crate) const PATIENCE: u32 = 32;

#[derive(Clone, Debug)]
struct Block {
    unit: u32,
    items: Runs,
}

#[derive(Clone, Debug, Default)]
struct Class {
    waiting: VecDeque<Block>,
    /// How many items wait.
    items: usize,
    overtaken: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks {
    classes: Vec<Class>,
    bound: BTreeMap<WorkerIndex, (usize, Block)>,
    pending: usize,
    /// How many items those units have that have several.
    sizes: BTreeMap<u32, usize>,
    /// On which worker such a unit has begun. What is left of it is for that one, as long as it lives.
    owners: BTreeMap<u32, WorkerIndex>,
}

impl Blocks {
    pub(crate) fn new(facts: &Facts) -> Self {
        let mut blocks = Self { classes: vec![Class::default(); facts.classes.len()], ..Self::default() };
        let mut unit_at = BTreeMap::new();
        for (item, fact) in facts.items().filter(|(_, fact)| !fact.serial) {
            let class = &mut blocks.classes[fact.class];
            let place = *unit_at.entry(fact.unit).or_insert(class.waiting.len());
            if place == class.waiting.len() {
                class.waiting.push_back(Block { unit: fact.unit, items: Runs::default() });
            }
            class.waiting[place].items.push_back(item);
            class.items += 1;
            blocks.pending += 1;
            *blocks.sizes.entry(fact.unit).or_default() += 1;
        }
        blocks.sizes.retain(|_, size| *size > 1);
        blocks
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// Whether something could start on this worker now.
    pub(crate) fn could_start(
        &self,
        worker: WorkerIndex,
        wanted: &BTreeSet<u32>,
        holdings: &Holdings,
        facts: &Facts,
    ) -> bool {
        self.bound.contains_key(&worker) || self.choose(worker, wanted, holdings, facts).is_some()
    }

    /// The resources that waiting items need.
    pub(crate) fn wanted(&self, facts: &Facts) -> impl Iterator<Item = u32> {
        let waiting = self.classes.iter().zip(&facts.classes).filter(|(class, _)| !class.waiting.is_empty());
        waiting.flat_map(|(_, needs)| needs).map(|demand| demand.resource)
    }

    /// What waiting items need and this worker cannot have now; all they need where they only wait for their turn.
    pub(crate) fn lacking(
        &self,
        worker: WorkerIndex,
        holdings: &Holdings,
        facts: &Facts,
    ) -> impl Iterator<Item = u32> {
        let lacks = |resource: &u32| {
            let waiting =
                self.classes.iter().zip(&facts.classes).filter(|(class, _)| !class.waiting.is_empty());
            let mut needs =
                waiting.flat_map(|(_, needs)| needs).filter(|demand| demand.resource == *resource);
            needs.any(|demand| !holdings.fits(worker, std::slice::from_ref(demand), facts))
        };
        let wanted: BTreeSet<u32> = self.wanted(facts).collect();
        let lacking: BTreeSet<u32> = wanted.iter().copied().filter(lacks).collect();
        if lacking.is_empty() { wanted } else { lacking }.into_iter()
    }

    /// The next item for this worker, which now holds what that needs.
    pub(crate) fn take(
        &mut self,
        worker: WorkerIndex,
        wanted: &BTreeSet<u32>,
        holdings: &mut Holdings,
        facts: &Facts,
    ) -> Option<ItemIndex> {
        if !self.bound.contains_key(&worker) {
            let class = self.choose(worker, wanted, holdings, facts)?;
            let place = self.classes[class].waiting.iter().position(|block| self.is_for(worker, block))?;
            let block = self.classes[class].waiting.remove(place)?;
            self.classes[class].items -= block.items.len();
            self.count_overtaking(class, facts);
            self.bound.insert(worker, (class, block));
            holdings.bind(worker, Some(class), facts);
        }
        let (_, block) = self.bound.get_mut(&worker)?;
        let mut taken = Vec::with_capacity(1);
        block.items.fill(&mut taken, 1);
        let (unit, is_over) = (block.unit, block.items.is_empty());
        if self.sizes.contains_key(&unit) {
            self.owners.insert(unit, worker);
        }
        holdings.grant(worker, &taken, facts);
        if is_over {
            self.bound.remove(&worker);
            holdings.bind(worker, None, facts);
        }
        self.pending -= taken.len();
        taken.pop()
    }

    /// Puts back what was granted and not started, or is to run again, before everything else of its class.
    pub(crate) fn put_back(&mut self, items: &[ItemIndex], facts: &Facts) {
        for &item in items.iter().rev() {
            let Some(fact) = facts.get(item) else { continue };
            self.pending += 1;
            let bound = self.bound.values_mut().map(|(_, block)| block).find(|block| block.unit == fact.unit);
            if let Some(block) = bound {
                block.items.push_front(item);
                continue;
            }
            let class = &mut self.classes[fact.class];
            class.items += 1;
            let place = class.waiting.iter().position(|block| block.unit == fact.unit).unwrap_or_else(|| {
                class.waiting.push_front(Block { unit: fact.unit, items: Runs::default() });
                0
            });
            let block = &mut class.waiting[place];
            block.items.push_front(item);
            let waiting = block.items.len();
            self.note_untouched(fact.unit, waiting);
        }
    }

    /// A unit all of which waits has not begun.
    fn note_untouched(&mut self, unit: u32, waiting: usize) {
        if self.sizes.get(&unit) == Some(&waiting) {
            self.owners.remove(&unit);
        }
    }

    /// The item has run, and is to run again: by whomever.
    pub(crate) fn release(&mut self, item: ItemIndex, facts: &Facts) {
        if let Some(fact) = facts.get(item) {
            self.owners.remove(&fact.unit);
        }
    }

    /// The worker is gone.
    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex) {
        self.unbind(worker);
        self.owners.retain(|_, owner| *owner != worker);
    }

    fn is_for(&self, worker: WorkerIndex, block: &Block) -> bool {
        self.owners.get(&block.unit).is_none_or(|owner| *owner == worker)
    }

    /// The worker holds nothing of a unit: what is left of it waits, for this worker where it has begun.
    pub(crate) fn unbind(&mut self, worker: WorkerIndex) {
        if let Some((class, block)) = self.bound.remove(&worker) {
            self.note_untouched(block.unit, block.items.len());
            self.classes[class].items += block.items.len();
            self.classes[class].waiting.push_front(block);
        }
    }

    fn choose(
        &self,
        worker: WorkerIndex,
        wanted: &BTreeSet<u32>,
        holdings: &Holdings,
        facts: &Facts,
    ) -> Option<usize> {
        let at_work = holdings.class_at_work(worker, facts);
        let has_some =
            |class: &usize| self.classes[*class].waiting.iter().any(|block| self.is_for(worker, block));
        let mut order: Vec<usize> = (0..self.classes.len()).filter(has_some).collect();
        order.sort_by_cached_key(|&class| {
            let impatient = self.classes[class].overtaken.max(PATIENCE);
            (Reverse(impatient), at_work != Some(class), Reverse(self.load(class, facts)), class)
        });
        let mut reserved: Vec<usize> = Vec::new();
        for class in order {
            let is_reserved = reserved.iter().any(|other| facts.do_share_a_resource(class, *other));
            let needs = &facts.classes[class];
            if !is_reserved
                && holdings.fits(worker, needs, facts)
                && !holdings.must_tear_down(worker, needs, wanted, facts)
            {
                return Some(class);
            }
            if self.classes[class].overtaken >= PATIENCE {
                reserved.push(class);
            }
        }
        None
    }

    /// How much a class has left to do, in thousandths of all there is of the resource it needs most of.
    fn load(&self, class: usize, facts: &Facts) -> u128 {
        let share = |resource: u32, amount: u64| {
            u128::from(amount) * 1000 / u128::from(facts.capacities[resource as usize].max(1))
        };
        let most = facts.classes[class].iter().map(|demand| share(demand.resource, demand.amount)).max();
        most.unwrap_or(0) * self.classes[class].items as u128
    }

    fn count_overtaking(&mut self, granted: usize, facts: &Facts) {
        for (number, class) in self.classes.iter_mut().enumerate() {
            if number == granted || class.waiting.is_empty() {
                class.overtaken = 0;
            } else if facts.do_share_a_resource(number, granted) {
                class.overtaken += 1;
            }
        }
    }
}
