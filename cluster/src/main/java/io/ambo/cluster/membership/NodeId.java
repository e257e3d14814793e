package io.ambo.cluster.membership;

import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * A node's name and the 16 bits of it that stand in session records. Two members whose names give the same number refuse each other with an error that
 * says to rename one.
 *
 * @param name  from node.name of the config
 * @param value 1 to 65535
 */
public record NodeId(String name, int value) {

    public static NodeId of(String name) {
        CRC32C crc = new CRC32C();
        crc.update(name.getBytes(StandardCharsets.UTF_8));
        return new NodeId(name, 1 + (int) (crc.getValue() % 65_535));
    }

    @Override
    public String toString() { return name; }
}
