//! Where one budget stands in its present period.

use std::sync::Arc;

use diamond_domain::{BudgetName, Money, OnUnbounded, TenantId, TimeRange};
use jiff::Timestamp;

use super::{BudgetRule, ReserveRequest, reservation::Hold};
use crate::{Refusal, refusal::BudgetAmounts};

/// Where a budget stands. Amounts are in what the budget counts (cost or charge).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetState {
    /// The most that may be spent in the period.
    pub limit: Money,
    /// What calls of the period have spent.
    pub spent: Money,
    /// What calls under way can still spend.
    pub reserved: Money,
    /// The present period.
    pub window: TimeRange,
}

impl BudgetState {
    /// What is neither spent nor reserved; never less than nothing.
    #[must_use]
    pub fn left(&self) -> Money {
        (self.limit - self.spent - self.reserved).max(Money::ZERO)
    }
}

/// A question to the ledger: what was spent of this budget in this window?
#[derive(Debug, Clone)]
pub struct BudgetReading {
    /// Whose budget.
    pub tenant: TenantId,
    /// What it counts.
    pub rule: Arc<BudgetRule>,
    /// When.
    pub window: TimeRange,
    serial: u64,
    /// What calls had spent when the question was put: the ledger knows of it.
    mark: Money,
}

/// A budget and its figures, all of them costs.
pub(super) struct Account {
    serial: u64,
    rule: Arc<BudgetRule>,
    window: TimeRange,
    /// What the ledger said; `None` until it was asked.
    read: Option<Money>,
    /// What calls have spent that the ledger was not asked about yet.
    since: Money,
    reserved: Money,
}

impl Account {
    pub(super) fn new(serial: u64, rule: BudgetRule, now: Timestamp) -> Option<Self> {
        Some(Self {
            serial,
            window: rule.period.window(now).ok()?,
            rule: Arc::new(rule),
            read: None,
            since: Money::ZERO,
            reserved: Money::ZERO,
        })
    }

    pub(super) fn rule(&self) -> &BudgetRule {
        &self.rule
    }

    pub(super) const fn is_read(&self) -> bool {
        self.read.is_some()
    }

    /// Whether the budget under this rule would count what this one counts.
    pub(super) fn counts_as(&self, rule: &BudgetRule) -> bool {
        self.rule.same_count(rule)
    }

    pub(super) fn with_nothing_spent(self) -> Self {
        Self {
            read: Some(Money::ZERO),
            ..self
        }
    }

    pub(super) fn with_rule(self, rule: BudgetRule) -> Self {
        Self {
            rule: Arc::new(rule),
            ..self
        }
    }

    /// Begins the period of `now` when the present one is over.
    fn roll(&mut self, now: Timestamp) {
        if now < self.window.to {
            return;
        }
        if let Ok(window) = self.rule.period.window(now) {
            self.window = window;
            // Nothing of the new period is in the ledger but through calls of this node, or as
            // much as the next reading will say.
            self.read = Some(Money::ZERO);
            self.since = Money::ZERO;
            self.reserved = Money::ZERO;
        }
    }

    fn spent(&self) -> Money {
        self.read.unwrap_or_default() + self.since
    }

    /// The hold for the call, if there is room for it; nothing is set aside yet.
    pub(super) fn fits(&mut self, request: &ReserveRequest<'_>) -> Result<Hold, Refusal> {
        self.roll(request.at);
        let amount = match (request.estimate, self.rule.on_unbounded) {
            (Some(most), _) => most.max(Money::ZERO),
            (None, OnUnbounded::Reserve(amount)) => amount,
            (None, OnUnbounded::Refuse) => {
                return Err(Refusal::BudgetUnbounded {
                    budget: self.rule.name.clone(),
                    call: request.words(),
                });
            }
        };
        let total = self
            .reserved
            .checked_add(amount)
            .and_then(|reserved| reserved.checked_add(self.spent()));
        if total.is_some_and(|total| self.rule.counted.of(total) <= self.rule.limit) {
            return Ok(Hold {
                serial: self.serial,
                window_from: self.window.from,
                amount,
            });
        }
        let (_, state) = self.state(request.at);
        Err(Refusal::BudgetExceeded {
            budget: self.rule.name.clone(),
            call: request.words(),
            // Who calls may see charges; what the platform pays is not everybody's to know.
            amounts: self.rule.counted.is_charge().then(|| {
                Box::new(BudgetAmounts {
                    estimate: self.rule.counted.of(amount),
                    limit: state.limit,
                    left: state.left(),
                })
            }),
            until: state.window.to,
        })
    }

    /// Whether the hold is of this account and of its present period.
    fn owns(&self, hold: &Hold) -> bool {
        hold.serial == self.serial && hold.window_from == self.window.from
    }

    pub(super) fn hold(&mut self, hold: &Hold) {
        if self.owns(hold) {
            self.reserved = self.reserved + hold.amount;
        }
    }

    /// Gives the hold back and books what was spent; `None` books the hold.
    pub(super) fn settle(&mut self, hold: &Hold, spent: Option<Money>) {
        if self.owns(hold) {
            self.reserved = self.reserved - hold.amount;
            self.since = self.since + spent.unwrap_or(hold.amount);
        }
    }

    pub(super) fn begin_reading(&mut self, tenant: &TenantId, now: Timestamp) -> BudgetReading {
        self.roll(now);
        BudgetReading {
            tenant: tenant.clone(),
            rule: Arc::clone(&self.rule),
            window: self.window,
            serial: self.serial,
            mark: self.since,
        }
    }

    pub(super) fn finish_reading(&mut self, reading: &BudgetReading, spent: Money) {
        if self.serial == reading.serial && self.window == reading.window {
            self.read = Some(spent);
            self.since = self.since - reading.mark;
        }
    }

    pub(super) fn state(&mut self, now: Timestamp) -> (BudgetName, BudgetState) {
        self.roll(now);
        let counted = |cost| self.rule.counted.of(cost);
        let spent = counted(self.spent());
        let state = BudgetState {
            limit: self.rule.limit,
            spent,
            reserved: counted(self.spent() + self.reserved) - spent,
            window: self.window,
        };
        (self.rule.name.clone(), state)
    }
}
