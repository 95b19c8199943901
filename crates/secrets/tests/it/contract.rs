use diamond_secrets::contract;

use crate::support::{Place, store};

on_both!(the_sealed_store_keeps_the_contract);

async fn the_sealed_store_keeps_the_contract(place: &Place) {
    contract::run(&store(&place.open().await).await).await;
}
