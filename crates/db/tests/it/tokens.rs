use diamond_db::{DbError, operator, system, tokens};

use crate::support::{Place, at, tenant, tenant_id, token, with_two_tenants};

on_both!(
    a_token_reads_back_as_written,
    a_stranger_neither_sees_nor_revokes_a_token,
    revoking_twice_keeps_the_first_time,
    pages_hold_every_token_once,
    a_start_reads_every_token_as_it_is,
    last_uses_only_move_forward,
    a_token_needs_its_tenant_and_a_hash_of_its_own,
);

async fn a_token_reads_back_as_written(place: &Place) {
    let db = with_two_tenants(place).await;
    let tenant = tenant_id("coaching");
    let mut of_tenant = token(Some("coaching"), 1);
    of_tenant.revoked_at = Some(at(5));
    of_tenant.last_used_at = Some(at(4));
    of_tenant.services = Some(vec!["openai".parse().unwrap()]);
    let mut of_platform = token(None, 2);
    of_platform.user = None;
    of_platform.addresses = vec![];
    tokens::insert(&db, &of_tenant).await.unwrap();
    tokens::insert(&db, &of_platform).await.unwrap();
    let read = tokens::get(&db, Some(&tenant), of_tenant.id).await.unwrap();
    assert_eq!(read, Some(of_tenant));
    let read = tokens::get(&db, None, of_platform.id).await.unwrap();
    assert_eq!(read, Some(of_platform));
}

async fn a_stranger_neither_sees_nor_revokes_a_token(place: &Place) {
    let db = with_two_tenants(place).await;
    let stranger = tenant_id("coaching-eu");
    let mine = token(Some("coaching"), 1);
    let platform = token(None, 2);
    tokens::insert(&db, &mine).await.unwrap();
    tokens::insert(&db, &platform).await.unwrap();
    for (who, id) in [
        (Some(&stranger), mine.id),
        (Some(&stranger), platform.id),
        (None, mine.id),
    ] {
        assert_eq!(tokens::get(&db, who, id).await.unwrap(), None);
        assert!(!tokens::revoke(&db, who, id, at(9)).await.unwrap());
    }
    assert_eq!(
        tokens::list(&db, Some(&stranger), None, 10).await.unwrap(),
        []
    );
    let all = operator::list_tokens(&db, None, 10).await.unwrap();
    assert_eq!(all, [mine, platform], "and nothing has changed");
}

async fn revoking_twice_keeps_the_first_time(place: &Place) {
    let db = with_two_tenants(place).await;
    let token = token(Some("coaching"), 1);
    tokens::insert(&db, &token).await.unwrap();
    let revoke = |second| operator::revoke_token(&db, token.id, at(second));
    assert!(revoke(3).await.unwrap());
    assert!(!revoke(4).await.unwrap());
    let read = operator::get_token(&db, token.id).await.unwrap().unwrap();
    assert_eq!(read.revoked_at, Some(at(3)));
}

async fn pages_hold_every_token_once(place: &Place) {
    let db = with_two_tenants(place).await;
    let tenant = tenant_id("coaching");
    let mut of_tenant = Vec::new();
    let mut of_all = Vec::new();
    for second in 0..9 {
        let owner = ["coaching", "coaching-eu", ""][second as usize % 3];
        let token = token((!owner.is_empty()).then_some(owner), second);
        tokens::insert(&db, &token).await.unwrap();
        of_all.push(token.id);
        if owner == tenant.as_str() {
            of_tenant.push(token.id);
        }
    }
    let mut seen = Vec::new();
    while let page = tokens::list(&db, Some(&tenant), seen.last().copied(), 2)
        .await
        .unwrap()
        && !page.is_empty()
    {
        seen.extend(page.into_iter().map(|token| token.id));
    }
    assert_eq!(seen, of_tenant);
    let mut seen = Vec::new();
    while let page = operator::list_tokens(&db, seen.last().copied(), 4)
        .await
        .unwrap()
        && !page.is_empty()
    {
        seen.extend(page.into_iter().map(|token| token.id));
    }
    assert_eq!(seen, of_all);
}

async fn a_start_reads_every_token_as_it_is(place: &Place) {
    let db = with_two_tenants(place).await;
    let mut odd = token(Some("coaching"), 1);
    odd.purpose = "tabs\tand\nlines, \\n and 'quotes'\r".into();
    odd.user = Some("a\\user".parse().unwrap());
    odd.services = Some(Vec::new());
    odd.revoked_at = Some(at(7));
    let mut plain = token(None, 2);
    plain.services = None;
    plain.user = None;
    for written in [&odd, &plain] {
        tokens::insert(&db, written).await.unwrap();
    }
    let mut read = system::load_tokens(&db).await.unwrap();
    read.sort_by_key(|token| token.id);
    assert_eq!(read, [odd, plain]);

    let mut read = system::load_tenants(&db).await.unwrap();
    read.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(read, [tenant("coaching"), tenant("coaching-eu")]);
}

async fn last_uses_only_move_forward(place: &Place) {
    let db = with_two_tenants(place).await;
    let (one, other) = (token(Some("coaching"), 1), token(None, 2));
    tokens::insert(&db, &one).await.unwrap();
    tokens::insert(&db, &other).await.unwrap();
    let before = system::last_change(&db).await.unwrap();
    let uses = [(other.id, at(20)), (one.id, at(10))];
    system::record_last_uses(&db, &uses).await.unwrap();
    system::record_last_uses(&db, &[(one.id, at(5)), (other.id, at(21))])
        .await
        .unwrap();
    system::record_last_uses(&db, &[]).await.unwrap();
    let last_use = async |id| {
        let token = operator::get_token(&db, id).await.unwrap().unwrap();
        token.last_used_at
    };
    assert_eq!(last_use(one.id).await, Some(at(10)));
    assert_eq!(last_use(other.id).await, Some(at(21)));
    assert_eq!(system::last_change(&db).await.unwrap(), before);
}

async fn a_token_needs_its_tenant_and_a_hash_of_its_own(place: &Place) {
    let db = with_two_tenants(place).await;
    let orphan = token(Some("nobody"), 1);
    let refused = tokens::insert(&db, &orphan).await;
    assert!(matches!(refused, Err(DbError::Refused(_))), "{refused:?}");
    let first = token(None, 2);
    tokens::insert(&db, &first).await.unwrap();
    let mut twin = token(None, 3);
    twin.hash = first.hash;
    let refused = tokens::insert(&db, &twin).await;
    assert!(matches!(refused, Err(DbError::Refused(_))), "{refused:?}");
}
