/// Which charset a label means, by the WHATWG Encoding Standard, and some that it left behind.
enum CharsetLabels {
    /// How a charset is decoded.
    enum Decoder: Equatable {
        case utf8
        case ascii
        case windows1252
        case hz
        /// UTF-16 or UTF-32 whose byte order a mark tells; the name to use without one.
        case ordered(String)
        case iconv(String)
    }

    static func decoder(for label: String) -> Decoder? {
        // What most mail has, without looking further.
        switch label {
        case "us-ascii": return .ascii
        case "utf-8", "UTF-8": return .utf8
        case "iso-8859-1", "ISO-8859-1", "windows-1252": return .windows1252
        default: break
        }
        let name = label.asciiLowercased.utf8.filter { $0 > 0x20 && $0 != ASCII.quote && $0 != ASCII.apostrophe }.text
        if let known = table[name] ?? windowsAlias(name) { return known }
        // Anything else that the C library knows by a name of plain characters (never with its //OPTIONS).
        guard !name.isEmpty, name.utf8.count <= 40,
            name.utf8.allSatisfy({
                $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore || $0 == ASCII.dot
                    || $0 == ASCII.colon || $0 == ASCII.plus
            })
        else { return nil }
        return .iconv(name)
    }

    /// `windows1251`, `win-1251`, `cp-1251`, as some programs write it.
    private static func windowsAlias(_ name: String) -> Decoder? {
        for prefix in ["windows", "win-", "cp-", "microsoft-cp"] where name.hasPrefix(prefix) {
            return table["cp" + name.dropFirst(prefix.utf8.count)]
        }
        return nil
    }

    private static let table: [String: Decoder] = {
        var table: [String: Decoder] = [:]
        func add(_ decoder: Decoder, _ labels: String) {
            for label in labels.split(separator: " ") { table[String(label)] = decoder }
        }
        add(.utf8, "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 utf8mb4")
        add(.ascii, "us-ascii ascii ansi_x3.4-1968 iso646-us iso-ir-6 us cp367 ibm367 csascii 646")
        add(
            .windows1252,
            "windows-1252 cp1252 x-cp1252 iso-8859-1 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 latin1 l1 "
                + "latin-1 iso-ir-100 csisolatin1 ibm819 cp819 8859-1 8859_1 iso8859_1 iso_8859_1 iso-latin-1 "
                + "ansi_x3.110-1983")
        add(
            .iconv("CP1254"),
            "windows-1254 cp1254 x-cp1254 iso-8859-9 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 latin5 l5 "
                + "iso-ir-148 csisolatin5")
        add(.iconv("CP874"), "windows-874 dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 tis620 cp874")
        add(
            .iconv("GB18030"),
            "gb18030 gb2312 gbk x-gbk chinese csgb2312 csiso58gb231280 gb_2312 gb_2312-80 iso-ir-58 euc-cn cp936 "
                + "gb2312-80 x-euc-cn ms936 windows-936")
        add(.iconv("BIG5-HKSCS"), "big5 big5-hkscs cn-big5 csbig5 x-x-big5 big-5 big5-eten cp950")
        add(
            .iconv("CP932"),
            "shift_jis shift-jis sjis x-sjis csshiftjis ms932 ms_kanji windows-31j cp932 shiftjis windows-932")
        add(.iconv("EUC-JP-MS"), "euc-jp x-euc-jp cseucpkdfmtjapanese eucjp")
        add(.iconv("ISO-2022-JP"), "iso-2022-jp csiso2022jp iso2022-jp iso2022jp")
        add(
            .iconv("UHC"),
            "euc-kr euckr ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 ks-c-5601-1987 korean cseuckr "
                + "csksc56011987 iso-ir-149 windows-949 cp949 uhc")
        add(.iconv("ISO-2022-KR"), "iso-2022-kr csiso2022kr")
        add(.hz, "hz-gb-2312 hz hzgb2312")
        add(.iconv("KOI8-R"), "koi8-r koi8_r koi8 koi cskoi8r")
        add(.iconv("KOI8-U"), "koi8-u koi8-ru")
        add(.iconv("MACINTOSH"), "macintosh mac x-mac-roman csmacintosh")
        add(.iconv("MAC-CYRILLIC"), "x-mac-cyrillic x-mac-ukrainian")
        add(.iconv("MAC-CENTRALEUROPE"), "x-mac-ce x-mac-centraleurroman")
        add(.iconv("CP437"), "cp437 ibm437 437 cspc8codepage437 dos-437")
        add(.iconv("CP850"), "cp850 ibm850 850 cspc850multilingual dos-850")
        add(.iconv("CP866"), "cp866 ibm866 866 csibm866 dos-866")
        add(.iconv("UTF-7"), "utf-7 utf7 unicode-1-1-utf-7 csutf7 x-unicode-2-0-utf-7")
        add(.ordered("UTF-16LE"), "utf-16 utf16 utf-16le ucs-2 iso-10646-ucs-2 csunicode unicode unicodefeff")
        add(.ordered("UTF-16BE"), "utf-16be unicodefffe")
        add(.ordered("UTF-32LE"), "utf-32le")
        add(.ordered("UTF-32BE"), "utf-32 utf-32be utf32 ucs-4 iso-10646-ucs-4")
        for number in 2...16 where ![9, 11, 12].contains(number) {
            add(
                .iconv("ISO-8859-\(number)"),
                "iso-8859-\(number) iso8859-\(number) iso8859\(number) iso_8859-\(number)")
        }
        add(
            .iconv("ISO-8859-6"),
            "iso-8859-6-e iso-8859-6-i csiso88596e csiso88596i arabic asmo-708 ecma-114 csisolatinarabic")
        add(
            .iconv("ISO-8859-8"),
            "iso-8859-8-e iso-8859-8-i csiso88598e csiso88598i hebrew logical visual csisolatinhebrew")
        add(.iconv("ISO-8859-7"), "greek greek8 ecma-118 elot_928 csisolatingreek sun_eu_greek")
        add(.iconv("ISO-8859-5"), "cyrillic csisolatincyrillic")
        add(.iconv("ISO-8859-2"), "latin2 l2 csisolatin2")
        add(.iconv("ISO-8859-3"), "latin3 l3 csisolatin3")
        add(.iconv("ISO-8859-4"), "latin4 l4 csisolatin4")
        add(.iconv("ISO-8859-10"), "latin6 l6 csisolatin6")
        add(.iconv("ISO-8859-15"), "latin-9 l9 latin9 csisolatin9")
        for number in [1250, 1251, 1253, 1255, 1256, 1257, 1258] {
            add(.iconv("CP\(number)"), "windows-\(number) cp\(number) x-cp\(number) win\(number)")
        }
        return table
    }()
}
