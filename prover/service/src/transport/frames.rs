//! Follows the frames of an HTTP/2 connection (RFC 9113, 3.4 and 4.1) as far as to say whether something began that has not ended. What
//! they mean is another's business.

/// The client's preface, and the first frame's header after it.
const OPENING: usize = 24;
/// A frame's header.
const HEADER: usize = 9;
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Where in its frames a connection is.
pub(super) struct Frames {
    /// Bytes of the preface that are still to come.
    opening: usize,
    header: [u8; HEADER],
    filled: usize,
    /// Bytes of the frame that are still to come.
    left: usize,
    /// Whether a block of headers goes on in the next frame.
    in_block: bool,
    /// Whether the first frame has ended.
    greeted: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self { opening: OPENING, header: [0; HEADER], filled: 0, left: 0, in_block: false, greeted: false }
    }
}

impl Frames {
    /// Follows these bytes. Whether something ended in them.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        let mut ended = false;
        while !bytes.is_empty() {
            let wanted = if self.opening > 0 {
                self.opening
            } else if self.left > 0 {
                self.left
            } else {
                HEADER - self.filled
            };
            let (here, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.opening > 0 {
                self.opening -= here.len();
                continue;
            }
            if self.left > 0 {
                self.left -= here.len();
            } else {
                let end = self.filled + here.len();
                if let Some(place) = self.header.get_mut(self.filled..end) {
                    place.copy_from_slice(here);
                }
                self.filled = end;
                if self.filled < HEADER {
                    continue;
                }
                self.filled = 0;
                let [high, middle, low, kind, flags, ..] = self.header;
                self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                if matches!(kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
                    self.in_block = flags & END_HEADERS == 0;
                }
            }
            if self.left == 0 {
                self.greeted = true;
                ended = ended || !self.in_block;
            }
        }
        ended
    }

    /// Whether something began that has not ended: the opening, a frame, or a block of headers.
    pub(super) const fn is_inside(&self) -> bool {
        !self.greeted || self.filled > 0 || self.left > 0 || self.in_block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap_or_default().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        bytes.extend(vec![0xff; payload]);
        bytes
    }

    #[test]
    fn a_connection_is_inside_until_what_began_has_ended() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, 6));
        let opened = bytes.len();
        bytes.extend(frame(HEADERS, 0, 20));
        bytes.extend(frame(CONTINUATION, 0, 0));
        let block = bytes.len();
        bytes.extend(frame(CONTINUATION, END_HEADERS, 300));
        let headers = bytes.len();
        bytes.extend(frame(0, 1, 70_000));
        for step in [1, 2, 9, 23, 24, 25, 1000] {
            let mut frames = Frames::default();
            let mut at = 0;
            for part in bytes.chunks(step) {
                frames.feed(part);
                at += part.len();
                if step == 1 {
                    let outside = [opened, headers, bytes.len()].contains(&at);
                    assert_eq!(frames.is_inside(), !outside, "after {at} of {block}");
                }
            }
            assert!(!frames.is_inside(), "cut at {step}");
        }
    }
}
