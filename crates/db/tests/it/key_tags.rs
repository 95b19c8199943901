use diamond_db::{
    key_tags::{self, KeyTag},
    key_versions, system,
};

use crate::support::{Place, at, key, name, tenant_id, version, with_two_tenants};

on_both!(a_value_is_found_under_every_live_name);

fn tagged(secret: &str, number: u32, tag: Option<u8>) -> KeyTag {
    KeyTag {
        name: name(secret),
        version: version(number),
        tag: tag.map(|byte| [byte; 32]),
    }
}

async fn a_value_is_found_under_every_live_name(place: &Place) {
    let db = with_two_tenants(place).await;
    let secrets = [
        "ai-openai-coaching",
        "ai-openai-coaching-customer",
        "ai-openai-coaching-eu",
    ];
    for secret in secrets {
        key_versions::activate(&db, &key(secret, 1)).await.unwrap();
    }
    let missing = system::keys_without_tag(&db, 2).await.unwrap();
    assert_eq!(missing.len(), 2, "as many as were asked for");
    let tags = [
        tagged(secrets[0], 1, Some(7)),
        tagged(secrets[1], 1, None),
        tagged(secrets[2], 1, Some(7)),
    ];
    key_tags::note(&db, &tags).await.unwrap();
    // What is noted stays.
    key_tags::note(&db, &[tagged(secrets[0], 1, Some(9))])
        .await
        .unwrap();
    assert!(system::keys_without_tag(&db, 10).await.unwrap().is_empty());
    let read = async |secret: &str| {
        let tag = key_tags::get(&db, &name(secret), version(1)).await;
        tag.unwrap()
    };
    assert_eq!(read(secrets[0]).await, Some([7; 32]));
    assert_eq!(read(secrets[1]).await, None, "it could not be opened");
    let found = system::secrets_with_tag(&db, &[7; 32]).await.unwrap();
    assert_eq!(found, [name(secrets[0]), name(secrets[2])]);
    // A revoked key is nobody's any more.
    let (tenant, revoked) = (tenant_id("coaching"), name(secrets[0]));
    let ended = key_versions::revoke(&db, &tenant, &revoked, version(1), at(9)).await;
    assert!(ended.unwrap());
    let found = system::secrets_with_tag(&db, &[7; 32]).await.unwrap();
    assert_eq!(found, [name(secrets[2])]);
    assert!(
        system::secrets_with_tag(&db, &[8; 32])
            .await
            .unwrap()
            .is_empty()
    );
}
