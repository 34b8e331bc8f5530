//! A publication: title, sender, language, zone, brand, imprint, schedule, rules.
