use diamond_db::{AlarmChange, AlarmState, Db, alarms, operator, system};
use diamond_domain::{Alarm, AlarmCode};

use crate::support::{Place, at, open, tenant_id};

on_both!(
    raises_are_joined_by_code_tenant_and_subject,
    a_closed_alarm_stays_closed_and_a_raise_begins_another,
    an_acknowledged_alarm_goes_on_counting,
    a_stranger_sees_no_alarm,
    pages_go_from_the_newest_back,
    concurrent_raises_are_all_counted,
);

fn alarm(tenant: Option<&str>, subject: &str) -> Alarm {
    Alarm {
        code: AlarmCode::UnpricedUsage,
        tenant: tenant.map(tenant_id),
        subject: subject.into(),
        detail: "no price is known".into(),
    }
}

async fn raise(db: &Db, alarm: &Alarm, second: i64) -> bool {
    system::raise_alarm(db, alarm, 1, at(second)).await.unwrap()
}

async fn all(db: &Db) -> Vec<diamond_db::AlarmRow> {
    operator::list_alarms(db, None, None, 100).await.unwrap()
}

async fn raises_are_joined_by_code_tenant_and_subject(place: &Place) {
    let db = open(place).await;
    let mut repeated = alarm(Some("coaching"), "openai/gpt-9");
    assert!(raise(&db, &repeated, 1).await);
    repeated.detail = "still no price is known".into();
    assert!(!raise(&db, &repeated, 9).await);
    assert!(
        !raise(&db, &repeated, 5).await,
        "a late report of an early raise"
    );
    assert!(raise(&db, &alarm(None, "openai/gpt-9"), 2).await);
    assert!(!raise(&db, &alarm(None, "openai/gpt-9"), 3).await);
    assert!(raise(&db, &alarm(Some("coaching"), "openai/gpt-8"), 4).await);
    let mut another_code = alarm(Some("coaching"), "openai/gpt-9");
    another_code.code = AlarmCode::UnknownRoute;
    assert!(raise(&db, &another_code, 6).await);
    let rows = all(&db).await;
    let joined = rows.last().unwrap();
    assert_eq!(rows.len(), 4);
    assert!(joined.id.starts_with("alm_"));
    assert_eq!(joined.code, "unpriced_usage");
    assert_eq!(joined.count, 3);
    assert_eq!((joined.first_seen_at, joined.last_seen_at), (at(1), at(9)));
    assert_eq!(joined.detail, "still no price is known");
    assert_eq!(joined.state, AlarmState::Open);
}

async fn a_closed_alarm_stays_closed_and_a_raise_begins_another(place: &Place) {
    let db = open(place).await;
    raise(&db, &alarm(None, "s"), 1).await;
    let first = all(&db).await.remove(0);
    let set = |state| operator::set_alarm_state(&db, &first.id, state);
    let closed = set(AlarmState::Closed).await.unwrap();
    assert!(matches!(&closed, AlarmChange::Changed(row) if row.state == AlarmState::Closed));
    assert_eq!(
        set(AlarmState::Closed).await.unwrap(),
        closed,
        "a repeat is no error"
    );
    assert!(raise(&db, &alarm(None, "s"), 2).await);
    let reopened = set(AlarmState::Open).await.unwrap();
    assert!(matches!(&reopened, AlarmChange::Closed(row) if row.count == 1));
    let states: Vec<_> = all(&db).await.iter().map(|row| row.state).collect();
    assert_eq!(states, [AlarmState::Open, AlarmState::Closed]);
    let missing = operator::set_alarm_state(&db, "alm_none", AlarmState::Open).await;
    assert_eq!(missing.unwrap(), AlarmChange::Missing);
}

async fn an_acknowledged_alarm_goes_on_counting(place: &Place) {
    let db = open(place).await;
    raise(&db, &alarm(None, "s"), 1).await;
    let id = all(&db).await.remove(0).id;
    let state = AlarmState::Acknowledged;
    operator::set_alarm_state(&db, &id, state).await.unwrap();
    assert!(!raise(&db, &alarm(None, "s"), 2).await);
    let row = all(&db).await.remove(0);
    assert_eq!((row.state, row.count), (state, 2));
    let listed = operator::list_alarms(&db, Some(AlarmState::Open), None, 9)
        .await
        .unwrap();
    assert_eq!(listed, []);
}

async fn a_stranger_sees_no_alarm(place: &Place) {
    let db = open(place).await;
    raise(&db, &alarm(Some("coaching"), "s"), 1).await;
    raise(&db, &alarm(None, "s"), 1).await;
    let list = async |id| {
        alarms::list(&db, &tenant_id(id), None, None, 9)
            .await
            .unwrap()
    };
    assert_eq!(list("coaching-eu").await, []);
    let mine = list("coaching").await;
    assert_eq!(mine.len(), 1);
    assert_eq!(mine[0].tenant, Some(tenant_id("coaching")));
    for (tenant, expected) in [(None, 1), (Some("coaching"), 1), (Some("coaching-eu"), 0)] {
        let tenant = tenant.map(tenant_id);
        let open = alarms::count_open(&db, tenant.as_ref()).await.unwrap();
        assert_eq!(open, expected);
    }
}

async fn pages_go_from_the_newest_back(place: &Place) {
    let db = open(place).await;
    for second in 0..5 {
        raise(&db, &alarm(Some("coaching"), &format!("s{second}")), second).await;
    }
    let tenant = tenant_id("coaching");
    let mut seen: Vec<diamond_db::AlarmRow> = Vec::new();
    loop {
        let before = seen.last().map(|row| row.id.clone());
        let page = alarms::list(&db, &tenant, Some(AlarmState::Open), before.as_deref(), 2);
        let page = page.await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let subjects: Vec<_> = seen.iter().map(|row| row.subject.as_str()).collect();
    assert_eq!(subjects, ["s4", "s3", "s2", "s1", "s0"]);
}

async fn concurrent_raises_are_all_counted(place: &Place) {
    let db = open(place).await;
    let mut tasks = tokio::task::JoinSet::new();
    for second in 0..20 {
        let db = db.clone();
        tasks.spawn(async move { raise(&db, &alarm(None, "s"), second).await });
    }
    let new = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|&new| new)
        .count();
    assert_eq!(new, 1);
    let rows = all(&db).await;
    assert_eq!((rows.len(), rows[0].count), (1, 20));
}
