//! What was spent of budgets, as the ledger has it.

use std::collections::BTreeMap;

use diamond_admission::BudgetReading;
use diamond_domain::{CostBasis, Money, Payer, TenantId, TimeRange, UsageEvent};
use diamond_usage::{EventFilter, GroupBy, LedgerCursor, TenantScope, TotalsRow};

use crate::{App, AppError};

/// From so many tenants on, everybody is read in one go.
const ONE_BY_ONE_MAX: usize = 8;
/// How many events are read at a time.
const PAGE: usize = 1_000;

impl App {
    /// Reads what was spent of every budget, before the first request.
    ///
    /// # Errors
    /// When the ledger cannot be read; it is tried again in the background.
    pub async fn read_budgets(&self) -> Result<(), AppError> {
        let parts = self.parts();
        let began = parts.clock.monotonic_nanos();
        let _ = parts.admission.budgets().take_unread();
        self.read_spend(None).await?;
        *self.budgets_read_at().lock() = Some(began);
        Ok(())
    }

    /// Reads the budgets that nobody has read yet, and all when their time has come.
    pub(crate) async fn follow_budgets(&self) -> Result<(), AppError> {
        let parts = self.parts();
        let now = parts.clock.monotonic_nanos();
        let age = self
            .budgets_read_at()
            .lock()
            .map(|at| now.saturating_sub(at));
        let due = age.is_none_or(|age| u128::from(age) >= parts.settings.budgets_reread.as_nanos());
        let unread = parts.admission.budgets().take_unread();
        if due || unread.len() > ONE_BY_ONE_MAX {
            return self.read_all_again().await;
        }
        for tenant in &unread {
            if let Err(error) = self.read_spend(Some(tenant)).await {
                // Whichever were not read are read with all the others.
                *self.budgets_read_at().lock() = None;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn read_all_again(&self) -> Result<(), AppError> {
        let read = self.read_budgets().await;
        if read.is_err() {
            *self.budgets_read_at().lock() = None;
        }
        read
    }

    async fn read_spend(&self, tenant: Option<&TenantId>) -> Result<(), AppError> {
        let parts = self.parts();
        let budgets = parts.admission.budgets();
        let readings = budgets.begin_reading(tenant, parts.clock.now());
        let (by_token, others): (Vec<_>, Vec<_>) = readings
            .into_iter()
            .partition(|reading| reading.rule.token.is_some());
        let mut windows: BTreeMap<_, Vec<BudgetReading>> = BTreeMap::new();
        for reading in others {
            let TimeRange { from, to } = reading.window;
            windows.entry((from, to)).or_default().push(reading);
        }
        for ((from, to), readings) in windows {
            let spent = self.sums(tenant, TimeRange { from, to }, &readings).await?;
            for (reading, spent) in readings.iter().zip(spent) {
                budgets.finish_reading(reading, spent);
            }
        }
        for reading in &by_token {
            let spent = self.spent_with_token(reading).await?;
            budgets.finish_reading(reading, spent);
        }
        Ok(())
    }

    /// What was spent of each in the window that they share.
    async fn sums(
        &self,
        tenant: Option<&TenantId>,
        window: TimeRange,
        readings: &[BudgetReading],
    ) -> Result<Vec<Money>, AppError> {
        let any = |wanted: fn(&BudgetReading) -> bool| readings.iter().any(wanted);
        let group_by = GroupBy {
            tenant: true,
            service: any(|reading| reading.rule.service.is_some()),
            model: any(|reading| reading.rule.model.is_some()),
            user: any(|reading| reading.rule.user.is_some()),
            ..GroupBy::default()
        };
        let scope = tenant.map_or(TenantScope::All, |tenant| TenantScope::One(tenant.clone()));
        let rows = self.parts().reader.totals(&scope, window, group_by).await?;
        let mut of: BTreeMap<&TenantId, Vec<&TotalsRow>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.payer == Payer::Platform) {
            if let Some(tenant) = &row.tenant {
                of.entry(tenant).or_default().push(row);
            }
        }
        let spent = |reading: &BudgetReading| {
            let rule = &reading.rule;
            let rows = of.get(&reading.tenant).into_iter().flatten();
            rows.filter(|row| rule.user.is_none() || rule.user == row.user)
                .filter(|row| rule.counts_spend(row.service.as_ref(), row.model.as_deref()))
                .map(|row| row.cost)
                .sum()
        };
        Ok(readings.iter().map(spent).collect())
    }

    /// Sums are not kept by token, so its events are looked through.
    async fn spent_with_token(&self, reading: &BudgetReading) -> Result<Money, AppError> {
        let rule = &reading.rule;
        let scope = TenantScope::One(reading.tenant.clone());
        let filter = EventFilter {
            range: Some(reading.window),
            token: rule.token,
            user: rule.user.clone(),
            service: rule.service.clone(),
            ..EventFilter::default()
        };
        let counts = |event: &&UsageEvent| {
            event.payer == Payer::Platform
                && event.cost_basis != CostBasis::Unpriced
                && rule.counts_spend(Some(&event.service), Some(&event.model))
        };
        let (mut spent, mut after) = (Money::ZERO, LedgerCursor::default());
        loop {
            let reader = &self.parts().reader;
            let page = reader.events(&scope, &filter, after, PAGE).await?;
            let costs = page.events.iter().filter(counts);
            spent = spent + costs.map(|event| event.cost_usd).sum();
            match page.next {
                Some(next) => after = next,
                None => return Ok(spent),
            }
        }
    }
}
