//! The four brands that come with Rundbrief.

use serde::{Deserialize, Serialize};

use crate::brand::colour::Colour;
use crate::brand::{Brand, Fonts, Headings, Masthead, Palette, Plan};

/// Which of the four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// A public office: sober, a bar of blue.
    #[default]
    Office,
    /// A town: a band of sea green, round corners.
    Town,
    /// An association: warm paper, everything in the middle.
    Association,
    /// A magazine: black and white, serifs, rules.
    Magazine,
}

impl Name {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Office, Self::Town, Self::Association, Self::Magazine];

    /// As it is written in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Office => "office",
            Self::Town => "town",
            Self::Association => "association",
            Self::Magazine => "magazine",
        }
    }
}

/// A shipped brand as it is.
pub fn brand(name: Name) -> Brand {
    Brand::new(plan(name)).expect("a test checks the four brands")
}

/// What a shipped brand consists of.
pub fn plan(name: Name) -> Plan {
    match name {
        Name::Office => office(),
        Name::Town => town(),
        Name::Association => association(),
        Name::Magazine => magazine(),
    }
}

/// The public office.
pub fn office() -> Plan {
    Plan {
        light: palette([
            0xec_ef_f3, 0xff_ff_ff, 0xf2_f5_f9, 0x1d_26_30, 0x47_52_60, 0x0f_1d_2e, 0x0b_4a_85,
            0xff_ff_ff, 0x0f_1d_2e, 0x0b_4a_85, 0xff_ff_ff, 0xc9_d2_dc,
        ]),
        dark: palette([
            0x0e_13_19, 0x16_1d_26, 0x1f_29_35, 0xe4_e9_ef, 0xb4_bf_cb, 0xf5_f8_fb, 0x8e_c5_f4,
            0x16_1d_26, 0xf5_f8_fb, 0x8e_c5_f4, 0x0a_14_1f, 0x3a_47_56,
        ]),
        fonts: Fonts {
            heading: "'Segoe UI','Helvetica Neue',Arial,sans-serif".to_owned(),
            body: "'Segoe UI','Helvetica Neue',Arial,sans-serif".to_owned(),
            weight: 700,
            title: 28,
            text: 16,
        },
        radius: 2,
        masthead: Masthead::Letterhead,
        headings: Headings::Bar,
        logo: None,
        footer: Vec::new(),
    }
}

/// The town.
pub fn town() -> Plan {
    Plan {
        light: palette([
            0xe6_f0_ef, 0xff_ff_ff, 0xe9_f4_f2, 0x1c_2b_2b, 0x42_56_56, 0x0b_3b_40, 0x00_56_5e,
            0x00_51_5a, 0xff_ff_ff, 0x9c_2f_12, 0xff_ff_ff, 0xc4_d9_d6,
        ]),
        dark: palette([
            0x0a_15_17, 0x11_20_22, 0x1a_2e_30, 0xe3_ec_eb, 0xae_c2_c0, 0xf2_fa_f9, 0x7f_d6_d0,
            0x0c_3c_42, 0xf2_fa_f9, 0xff_b3_9c, 0x30_0d_02, 0x2f_4a_4b,
        ]),
        fonts: Fonts {
            heading: "'Trebuchet MS','Segoe UI',Tahoma,sans-serif".to_owned(),
            body: "Verdana,'DejaVu Sans',Geneva,sans-serif".to_owned(),
            weight: 700,
            title: 30,
            text: 16,
        },
        radius: 12,
        masthead: Masthead::Band,
        headings: Headings::Tint,
        logo: None,
        footer: Vec::new(),
    }
}

/// The association.
pub fn association() -> Plan {
    Plan {
        light: palette([
            0xf6_ee_e3, 0xff_fc_f7, 0xf8_ef_e2, 0x33_29_22, 0x5b_4b_3f, 0x5a_1d_33, 0x7a_22_40,
            0xff_fc_f7, 0x5a_1d_33, 0x7a_22_40, 0xff_ff_ff, 0xe3_d0_b8,
        ]),
        dark: palette([
            0x17_11_0f, 0x22_1a_17, 0x2f_25_20, 0xf0_e7_de, 0xcb_b9_aa, 0xf9_df_e6, 0xf3_a9_bf,
            0x22_1a_17, 0xf9_df_e6, 0xf3_a9_bf, 0x38_08_19, 0x52_41_37,
        ]),
        fonts: Fonts {
            heading: "'Palatino Linotype',Palatino,'Book Antiqua',Georgia,serif".to_owned(),
            body: "Arial,'Helvetica Neue',Helvetica,sans-serif".to_owned(),
            weight: 700,
            title: 32,
            text: 16,
        },
        radius: 18,
        masthead: Masthead::Centred,
        headings: Headings::Centred,
        logo: None,
        footer: Vec::new(),
    }
}

/// The magazine.
pub fn magazine() -> Plan {
    Plan {
        light: palette([
            0xff_ff_ff, 0xff_ff_ff, 0xf3_f1_ec, 0x22_22_22, 0x50_50_50, 0x00_00_00, 0xa0_1a_1a,
            0xff_ff_ff, 0x00_00_00, 0x1a_1a_1a, 0xff_ff_ff, 0x1a_1a_1a,
        ]),
        dark: palette([
            0x12_12_12, 0x12_12_12, 0x20_1f_1d, 0xe8_e6_e1, 0xbb_b7_af, 0xff_ff_ff, 0xff_9d_8f,
            0x12_12_12, 0xff_ff_ff, 0xf3_f1_ec, 0x14_14_14, 0x8a_86_7e,
        ]),
        fonts: Fonts {
            heading: "Georgia,'Times New Roman',serif".to_owned(),
            body: "Georgia,'Times New Roman',serif".to_owned(),
            weight: 400,
            title: 36,
            text: 17,
        },
        radius: 0,
        masthead: Masthead::Title,
        headings: Headings::Rule,
        logo: None,
        footer: Vec::new(),
    }
}

/// In the order of [`Palette`]'s fields.
fn palette(colours: [u32; 12]) -> Palette {
    let [page, sheet, tint, text, muted, heading, link, band, band_text, button, button_text, line] =
        colours.map(Colour::rgb);
    Palette {
        page,
        sheet,
        tint,
        text,
        muted,
        heading,
        link,
        band,
        band_text,
        button,
        button_text,
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::contrast;

    #[test]
    fn the_four_brands_read_well_in_every_view() {
        for name in Name::ALL {
            if let Err(refusal) = contrast::check(&plan(name)) {
                panic!("{}: {refusal}", name.as_str());
            }
        }
    }
}
