//! stub
use circus::moment::Moment;
use circus::process::Pid;
#[derive(Debug, Default)]
pub struct Figures;
impl Figures {
    pub fn info(&mut self, out: &mut Vec<u8>, _: Pid, _: Option<(f64, u32)>, _: Moment) {
        out.extend_from_slice(b"{}");
    }
}
