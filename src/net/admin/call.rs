//! Control calls as JSON: `{"call": "standby"}`.

use crate::base::control::Control;

/// Reads a call; else a sentence on what is wrong with it.
///
/// # Errors
/// When it is no JSON or no call.
pub fn parse(text: &[u8]) -> Result<Control, String> {
    let wrong = |error| format!("this is no call that neap knows: {error}");
    serde_json::from_str(&String::from_utf8_lossy(text)).map_err(wrong)
}

/// Writes a call.
pub fn write(control: &Control) -> String {
    serde_json::to_string(control).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_read_as_it_was_written() {
        let line = "switch:00".into();
        let off = Control::Sharing { on: false };
        let all = [Control::Standby, Control::Wake, off, Control::ForgetLedger];
        for control in all.into_iter().chain([Control::Switch { line }]) {
            let text = write(&control);
            assert_eq!(parse(text.as_bytes()), Ok(control), "{text}");
            for end in 0..text.len() {
                assert!(parse(&text.as_bytes()[..end]).is_err(), "{end}");
            }
        }
        assert_eq!(write(&Control::Standby), r#"{"call":"standby"}"#);
    }

    #[test]
    fn what_is_no_call_is_told_what_there_is() {
        let told = parse(br#"{"call":"stanby"}"#).expect_err("no such call");
        assert!(told.contains("stanby") && told.contains("`standby`"), "{told}");
    }
}
