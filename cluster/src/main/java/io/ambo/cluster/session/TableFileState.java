package io.ambo.cluster.session;

import java.io.IOException;
import java.io.Reader;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Properties;

/**
 * What the state file says of the map file beside it.
 *
 * @param layout     {@link TableFile#LAYOUT} of the writer
 * @param capacity   sessions the map was made for
 * @param headerCrc  CRC32C of the map's header: another map, of whatever origin, has another
 * @param sizeBytes  of the map file at its creation; it only grows
 * @param boot       the kernel's id of the boot that last seen times belong to
 * @param closed     the map was closed and needs no recovery
 * @param recoveries runs that began since one last got as far as having read all sessions
 */
record TableFileState(
        String layout, long capacity, long headerCrc, long sizeBytes, String boot, boolean closed, int recoveries) {

    /** A run begins: until it has {@link #resumed}, it counts as a recovery. */
    TableFileState opened() {
        return new TableFileState(layout, capacity, headerCrc, sizeBytes, boot, false, recoveries + 1);
    }

    /** All sessions have been read and their times are of this boot. */
    TableFileState resumed(String inBoot) {
        return new TableFileState(layout, capacity, headerCrc, sizeBytes, inBoot, false, 0);
    }

    TableFileState stopped() { return new TableFileState(layout, capacity, headerCrc, sizeBytes, boot, true, 0); }

    /** @throws IOException when there is no such file or it does not say all of it */
    static TableFileState read(Path file) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
            return new TableFileState(text(properties, "layout"), Long.parseLong(text(properties, "capacity")),
                    Long.parseLong(text(properties, "header-crc")), Long.parseLong(text(properties, "size-bytes")),
                    text(properties, "boot"),
                    Boolean.parseBoolean(text(properties, "closed")), Integer.parseInt(text(properties, "recoveries")));
        } catch (NoSuchFileException e) {
            throw new IOException("there is no " + file.getFileName() + " beside it", e);
        } catch (IllegalArgumentException e) {
            throw new IOException("not a state file: " + e.getMessage(), e);
        }
    }

    /** Replaces the file in one step, durably. */
    void write(Path file) throws IOException {
        StringWriter text = new StringWriter();
        text.write("# The state of sessions.map, written by Ambo. Do not edit.\n");
        text.write("layout=" + layout + "\ncapacity=" + capacity + "\nheader-crc=" + headerCrc + "\nsize-bytes=" + sizeBytes + "\n");
        text.write("boot=" + boot + "\nclosed=" + closed + "\nrecoveries=" + recoveries + "\n");
        Path next = file.resolveSibling(file.getFileName() + ".new");
        try (FileChannel channel = FileChannel.open(next, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            ByteBuffer bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) channel.write(bytes);
            channel.force(true);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static String text(Properties properties, String key) throws IOException {
        String value = properties.getProperty(key);
        if (value == null) throw new IOException("not a state file: " + key + " is missing");
        return value;
    }
}
