//! The examples that the RFCs themselves give: good keys are used, signatures verify, and none of the
//! tokens is an access token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use user_service::{
    auth::{Clock, JwksSettings, KeySet, Secret, Settings},
    error::Reason::{self, *},
};

use crate::support::{auth, authorization, key_server::KeyServer, refusal};

/// RFC 7517, appendix A.1: an EC key for encryption and an RSA key for signatures.
#[test]
fn of_rfc_7517_a_1_the_signing_key_is_used() {
    let set = json!({"keys": [
        {
            "kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        },
        {
            "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        },
    ]});
    assert_eq!(KeySet::parse(set.to_string().as_bytes()).unwrap().len(), 1);
}

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
/// RFC 7515, A.1 (and RFC 7519, 3.1).
const A1_SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const A1_HEADER: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
const A1_SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7515, A.2.
const A2_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const A2_HEADER: &str = "eyJhbGciOiJSUzI1NiJ9";
const A2_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515, A.3.
const A3_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const A3_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const A3_HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";
const A3_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// What is refused before any key is looked at.
const OTHERS: [(&str, &str, Reason); 3] = [
    (
        "RFC 7515, A.4: the payload is a word",
        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        TokenMalformed,
    ),
    (
        "RFC 7515, E: critical and not understood, and the payload is a word",
        "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.",
        TokenMalformed,
    ),
    (
        "RFC 7519, A.1: encrypted",
        "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.QR1Owv2ug2WyPBnbQrRARTeEk9kDO2w8qDcjiHnSJflSdv1iNqhWXaKH4MqAkQtMoNfABIPJaZm0HaA415sv3aeuBWnD8J-Ui7Ah6cWafs3ZwwFKDFUUsWHSK-IPKxLGTkND09XyjORj_CHAgOPJ-Sd8ONQRnJvWn_hXV1BNMHzUjPyYwEsRhDhzjAD26imasOTsgruobpYGoQcXUwFDn7moXPRfDE8-NoQX7N7ZYMmpUDkR-Cx9obNGwJQ3nM52YCitxoQVPzjbl7WBuB7AohdBoZOdZ24WlN1lVIeh8v1K4krB8xgKvRU8kgFrEn_a1rZgN5TiysnmzTROF869lQ.AxY8DCtDaGlsbGljb3RoZQ.MKOle7UQrG6nSxTLX6Mqwt0orbHvAKeWnDYvpIAeZ72deHxz3roJDXQyhxx0wKaMHDjUEOKIwrtkHthpqEanSBNYHZgmNOV7sln1Eu9g3J8.fiK51VwhsxJ-siBMR-YFiA",
        TokenMalformed,
    ),
];

/// Their signatures verify; that they are no access tokens is found afterwards.
#[tokio::test]
async fn the_examples_of_rfc_7515_verify_and_are_no_access_tokens() {
    let keys = json!({"keys": [
        {"kty": "RSA", "n": A2_N, "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": A3_X, "y": A3_Y},
    ]});
    let server = KeyServer::start(keys).await;
    let secret = URL_SAFE_NO_PAD.decode(A1_SECRET).unwrap();
    let settings = |issuer: Option<&str>| Settings {
        secrets: vec![Secret::new(&secret).unwrap()],
        jwks: Some(JwksSettings::new(server.url())),
        issuer: issuer.map(str::to_owned),
        ..Settings::default()
    };
    // Ten seconds before Joe's token expires.
    let then = Clock::standing_at(1_300_819_370);
    let (strict, joes) = (auth(settings(Some("x")), &then), auth(settings(Some("joe")), &then));
    let today = auth(settings(Some("joe")), &Clock::system());
    for auth in [&strict, &joes, &today] {
        assert_eq!(auth.fetch_keys().await.unwrap(), 2);
    }
    for (header, signature) in
        [(A1_HEADER, A1_SIGNATURE), (A2_HEADER, A2_SIGNATURE), (A3_HEADER, A3_SIGNATURE)]
    {
        let token = format!("{header}.{JOE}.{signature}");
        assert_eq!(refusal(&today, &token), Some(TokenExpired));
        assert_eq!(refusal(&strict, &token), Some(TokenIssuer));
        assert_eq!(refusal(&joes, &token), Some(TokenAudience));
        let first = if signature.starts_with('Z') { 'Y' } else { 'Z' };
        let altered = format!("{header}.{JOE}.{first}{}", &signature[1..]);
        assert_eq!(refusal(&joes, &altered), Some(TokenSignature));
    }
    // RFC 7515, E, with a payload that is an object.
    let critical = OTHERS[1].1.replace("RkFJTA", JOE);
    assert_eq!(refusal(&joes, &critical), Some(TokenHeader));
    // RFC 7515, A.5, and RFC 7519, 6.1.
    assert_eq!(refusal(&joes, &format!("eyJhbGciOiJub25lIn0.{JOE}.")), Some(TokenAlgorithm));
    for (example, token, reason) in OTHERS {
        assert_eq!(refusal(&joes, token), Some(reason), "{example}");
    }
    // RFC 8037, A.4: the payload is a sentence.
    let sentence = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(refusal(&joes, sentence), Some(TokenMalformed));
    // RFC 7515, A.7: the JSON serialization has no place in a header.
    let json = format!(r#"Bearer {{"payload":"{JOE}","signature":"{A1_SIGNATURE}"}}"#);
    let error = joes.verify(&authorization(json.as_bytes())).unwrap_err();
    assert_eq!(error.reason(), AuthorizationMalformed);
}
