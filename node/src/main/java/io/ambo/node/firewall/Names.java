package io.ambo.node.firewall;

import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/** Numbers for names that must mean the same on every node, whatever the order of the config: they stand in session records. */
public final class Names {
    /** The rule id of sessions that the default action let in. */
    public static final int DEFAULT_RULE = 0;

    private Names() {}

    /** 1 to 65535. Config check refuses two zones with the same number. */
    public static int zoneId(String name) {
        return 1 + (int) (crc(name) % 65_535);
    }

    /** Never {@link #DEFAULT_RULE}. Config check refuses two rules with the same number. */
    public static int ruleId(String name) {
        return 1 + (int) (crc(name) % 0xFFFF_FFFEL);
    }

    private static long crc(String name) {
        CRC32C crc = new CRC32C();
        crc.update(name.getBytes(StandardCharsets.UTF_8));
        return crc.getValue();
    }
}
