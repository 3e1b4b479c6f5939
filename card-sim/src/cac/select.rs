//! SELECT of an applet and of an object (GSC-IS 2.1, 5.3.3).

use heapless::VecView;

use super::{State, applet::Applet, container::ObjectId, stock::Stock};
use crate::refusal::{Refusal, rules};

/// Selects the applet of this stock with this name, and its first object; `false` if there is none, and nothing has changed.
pub(crate) fn select_applet(state: &mut State, stock: &Stock, name: &[u8]) -> bool {
    let Some(applet) = Applet::named(name, stock.applets) else { return false };
    state.applet = applet;
    state.object = applet.objects.first().copied();
    true
}

impl State {
    /// Appends the selected applet's file control information: its name, and nothing proprietary.
    pub(crate) fn applet_information(&self, response: &mut VecView<u8>) -> Result<(), Refusal> {
        response.extend_from_slice(&[0x6F, 0x0B, 0x84, 0x07])?;
        response.extend_from_slice(&self.applet.aid)?;
        response.extend_from_slice(&[0xA5, 0x00])?;
        Ok(())
    }
}

/// Selects an object of the selected applet by its two bytes.
pub(crate) fn select_object(state: &mut State, name: &[u8]) -> Result<(), Refusal> {
    let name = name.try_into().map_err(|_| rules::CAC_OBJECT_NAME.refuse())?;
    let object = ObjectId::new(u16::from_be_bytes(name))
        .filter(|object| state.applet.objects.contains(object))
        .ok_or(rules::CAC_OBJECT.refuse())?;
    state.object = Some(object);
    Ok(())
}
