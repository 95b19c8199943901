use diamond_db::{
    BUDGETS_PER_TENANT_MAX, BudgetPut, BudgetRow, budgets, operator, system, tenants,
};
use diamond_domain::{BudgetMeasure, OnUnbounded, Period, TokenId};

use crate::support::{Place, at, open, tenant, tenant_id, with_two_tenants};

on_both!(
    a_budget_reads_back_as_put_and_is_its_tenants,
    a_tenant_has_so_many_and_no_more,
    a_tenant_is_made_with_its_first_budget_or_not_at_all,
);

fn budget(tenant: &str, name: &str) -> BudgetRow {
    BudgetRow {
        tenant: tenant_id(tenant),
        name: name.parse().unwrap(),
        user: None,
        token: None,
        service: None,
        model: None,
        period: Period::Monthly,
        measure: BudgetMeasure::Cost,
        limit: "100.000000001".parse().unwrap(),
        on_unbounded: OnUnbounded::Refuse,
        created_at: at(5),
        updated_at: at(5),
    }
}

async fn a_budget_reads_back_as_put_and_is_its_tenants(place: &Place) {
    let db = with_two_tenants(place).await;
    let before = system::last_change(&db).await.unwrap();
    let plain = budget("coaching", "all");
    let mut narrow = budget("coaching", "narrow");
    narrow.user = Some("agent 7".parse().unwrap());
    narrow.token = Some(TokenId::from_bits(7));
    narrow.service = Some("openai".parse().unwrap());
    narrow.model = Some("gpt-4o-mini".into());
    narrow.measure = BudgetMeasure::Charge;
    narrow.on_unbounded = OnUnbounded::Reserve("0.5".parse().unwrap());
    for row in [&plain, &narrow] {
        assert_eq!(budgets::put(&db, row).await.unwrap(), BudgetPut::Created);
        let read = budgets::get(&db, &row.tenant, &row.name).await.unwrap();
        assert_eq!(read.as_ref(), Some(row));
    }
    let stranger = tenant_id("coaching-eu");
    assert_eq!(budgets::list(&db, &stranger).await.unwrap(), []);
    assert_eq!(
        budgets::get(&db, &stranger, &plain.name).await.unwrap(),
        None
    );
    assert!(!budgets::delete(&db, &stranger, &plain.name).await.unwrap());
    let mut larger = budget("coaching", "all");
    larger.limit = "200".parse().unwrap();
    larger.created_at = at(9);
    larger.updated_at = at(9);
    let put = budgets::put(&db, &larger).await.unwrap();
    assert_eq!(put, BudgetPut::Replaced(at(5)));
    larger.created_at = at(5);
    let all = budgets::list(&db, &larger.tenant).await.unwrap();
    assert_eq!(all, [larger.clone(), narrow.clone()]);
    assert_eq!(system::load_budgets(&db).await.unwrap(), all);
    let after = Some((&larger.tenant, &larger.name));
    let page = operator::list_budgets(&db, after, 5).await.unwrap();
    assert_eq!(page, [narrow]);
    assert!(
        budgets::delete(&db, &larger.tenant, &larger.name)
            .await
            .unwrap()
    );
    // Each is a change of the tenant, which the nodes follow.
    let changes = system::changes_after(&db, before, 10).await.unwrap();
    assert_eq!(changes.len(), 4);
}

async fn a_tenant_has_so_many_and_no_more(place: &Place) {
    let db = with_two_tenants(place).await;
    for number in 0..BUDGETS_PER_TENANT_MAX {
        let row = budget("coaching", &format!("b{number}"));
        assert_eq!(budgets::put(&db, &row).await.unwrap(), BudgetPut::Created);
    }
    let surplus = budget("coaching", "surplus");
    assert_eq!(
        budgets::put(&db, &surplus).await.unwrap(),
        BudgetPut::TooMany
    );
    let known = budget("coaching", "b7");
    let put = budgets::put(&db, &known).await.unwrap();
    assert_eq!(put, BudgetPut::Replaced(at(5)));
    let other = budget("coaching-eu", "surplus");
    assert_eq!(budgets::put(&db, &other).await.unwrap(), BudgetPut::Created);
}

async fn a_tenant_is_made_with_its_first_budget_or_not_at_all(place: &Place) {
    let db = open(place).await;
    let (first, row) = (tenant("zaxon"), budget("zaxon", "default"));
    assert!(tenants::create_with(&db, &first, Some(&row)).await.unwrap());
    assert_eq!(budgets::list(&db, &first.id).await.unwrap(), [row]);
    let mut other = budget("zaxon", "default");
    other.limit = "1".parse().unwrap();
    assert!(
        !tenants::create_with(&db, &first, Some(&other))
            .await
            .unwrap()
    );
    let kept = budgets::list(&db, &first.id).await.unwrap();
    assert_eq!(kept[0].limit, "100.000000001".parse().unwrap());
}
