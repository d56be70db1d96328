// @generated automatically by Diesel CLI.

diesel::table! {
    users (id) {
        id -> Uuid,
        full_name -> Nullable<Text>,
        avatar_url -> Nullable<Text>,
        billing_address -> Nullable<Jsonb>,
        payment_method -> Nullable<Jsonb>,
    }
}
