use diamond_db::{AuditAnchor, system};

use crate::support::{Place, at, open};

on_both!(
    an_anchor_moves_forward_only,
    racing_anchors_end_at_the_furthest
);

async fn an_anchor_moves_forward_only(place: &Place) {
    let db = open(place).await;
    let put = |chain, sequence, byte, second| {
        let db = &db;
        async move {
            let hash = [byte; 32];
            system::put_audit_anchor(db, chain, sequence, &hash, at(second))
                .await
                .unwrap()
        }
    };
    assert_eq!(system::get_audit_anchor(&db, "node-a").await.unwrap(), None);
    assert!(put("node-a", 5, 1, 1).await);
    assert!(!put("node-a", 4, 2, 2).await);
    assert!(
        !put("node-a", 5, 3, 3).await,
        "the same number with another hash"
    );
    assert!(
        put("node-b", 1, 4, 4).await,
        "another chain is another anchor"
    );
    let anchor = system::get_audit_anchor(&db, "node-a").await.unwrap();
    let first = AuditAnchor {
        sequence: 5,
        hash: [1; 32],
        at: at(1),
    };
    assert_eq!(anchor, Some(first));
    assert!(put("node-a", 6, 5, 5).await);
    let anchor = system::get_audit_anchor(&db, "node-a")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((anchor.sequence, anchor.hash), (6, [5; 32]));
}

async fn racing_anchors_end_at_the_furthest(place: &Place) {
    let db = open(place).await;
    let mut tasks = tokio::task::JoinSet::new();
    for sequence in (1_u8..=16).rev() {
        let db = db.clone();
        tasks.spawn(async move {
            let hash = [sequence; 32];
            system::put_audit_anchor(&db, "node", u64::from(sequence), &hash, at(0))
                .await
                .unwrap()
        });
    }
    tasks.join_all().await;
    let anchor = system::get_audit_anchor(&db, "node")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((anchor.sequence, anchor.hash), (16, [16; 32]));
}
