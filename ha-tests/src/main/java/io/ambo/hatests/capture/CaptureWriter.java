package io.ambo.hatests.capture;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes Ethernet frames as a pcap file with nanoseconds. One thread. */
public final class CaptureWriter implements AutoCloseable {
    private static final int LONGEST = 262_144;
    private final OutputStream out;

    public CaptureWriter(Path file) throws IOException {
        out = new BufferedOutputStream(Files.newOutputStream(file));
        out.write(ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN).putInt(0xA1B23C4D).putShort((short) 2).putShort((short) 4)
                .putLong(0).putInt(LONGEST).putInt(1).array());
    }

    /** @param timeNs nanoseconds since 1970 */
    public void write(long timeNs, byte[] frame) throws IOException {
        out.write(ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putInt((int) (timeNs / 1_000_000_000L))
                .putInt((int) (timeNs % 1_000_000_000L)).putInt(frame.length).putInt(frame.length).array());
        out.write(frame);
    }

    @Override
    public void close() throws IOException { out.close(); }
}
