package io.ambo.cluster.session;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import net.openhft.chronicle.map.ChronicleMap;
import net.openhft.chronicle.map.ChronicleMapBuilder;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The file behind the table: finds, recovers, replaces or creates it, so that there always is a map to work with. In the state directory:
 *
 * <pre>
 *   sessions.map                     the sessions (Chronicle Map)
 *   sessions.state                   {@link TableFileState}: text, replaced atomically
 *   sessions.lock                    locked by the process that has the table open
 *   sessions.map.new                 a map being filled by a change of capacity; a leftover is deleted
 *   sessions.map.unreadable-(time)   a map that could not be read, kept for whoever wants to know why
 * </pre>
 *
 * A map that was not closed is recovered, always: its process may have been killed with a segment's lock held, and that lock would stay held. Belongs to
 * the thread that opens and closes the table.
 */
final class TableFile implements AutoCloseable {
    /** Raised when the layout of keys or records, or the way the map is built, changes; a file of another layout is put aside. */
    static final String LAYOUT = "1";
    /** Sessions in a slice of a full table, on average: one step of a packet worker. */
    static final int SLICE_SESSIONS = 500;
    /** Times a recovery is begun before the file counts as unreadable: one that brings the process down must not do so at every start. */
    static final int RECOVERIES = 3;

    /** Chronicle Map's header: checksum (8), size word (4), text. The size word's top bit says that the header is not complete. */
    private static final int HEADER_SIZE_WORD = 8;
    private static final int HEADER_TEXT = HEADER_SIZE_WORD + 4;
    private static final int HEADER_LIMIT = 64 * 1024;
    private static final Logger LOG = LogManager.getLogger(TableFile.class);

    private final Path mapFile;
    private final Path stateFile;
    private final FileChannel lock;
    private final long capacity;
    private final String boot;
    private final long wallMs;
    private boolean ofThisBoot = true;
    private @Nullable ChronicleMap<byte[], byte[]> map;

    /**
     * @param boot   the running kernel's boot id
     * @param wallMs for the name of a file put aside
     * @throws SessionTableException when the directory cannot be used or another process has the table open
     */
    TableFile(Path directory, long capacity, String boot, long wallMs) {
        mapFile = directory.resolve("sessions.map");
        stateFile = directory.resolve("sessions.state");
        this.capacity = capacity;
        this.boot = boot;
        this.wallMs = wallMs;
        lock = lock(directory);
        reopen(this::openOrCreate);
    }

    ChronicleMap<byte[], byte[]> map() {
        if (map == null) throw new IllegalStateException("the session table is closed");
        return map;
    }

    /** False when the sessions' last seen times are of an earlier boot's clock. */
    boolean ofThisBoot() { return ofThisBoot; }

    /** Reading the sessions came upon damage: recovers the map. */
    void recoverAfter(Throwable damage) {
        LOG.warn("The session table {} is damaged and will be recovered: {}", mapFile, damage.toString());
        reopen(this::openOrCreate);
    }

    /** Reading the recovered sessions came upon damage: puts the map aside and starts with an empty one. */
    void replaceAfter(Throwable damage) {
        reopen(() -> {
            putAside(damage);
            return create();
        });
    }

    /** All sessions have been read, and their times are of this boot now. */
    void resumed() {
        try {
            TableFileState.read(stateFile).resumed(boot).write(stateFile);
        } catch (IOException e) {
            throw new SessionTableException("open the session table", stateFile.toString(), String.valueOf(e),
                    "check that the disk has room", e);
        }
    }

    /** Closes the map; nobody may use it any more. A table that was closed is opened without a recovery. */
    @Override
    public void close() {
        if (map == null) return;
        map.close();
        map = null;
        try {
            TableFileState.read(stateFile).stopped().write(stateFile);
        } catch (IOException e) {
            LOG.warn("{} could not be written: {}. The next start recovers the table, which takes longer.", stateFile, e.toString());
        } finally {
            closeLock();
        }
    }

    @FunctionalInterface
    private interface Opening {
        ChronicleMap<byte[], byte[]> open() throws IOException;
    }

    private void reopen(Opening opening) {
        if (map != null) map.close();
        try {
            map = opening.open();
        } catch (IOException | RuntimeException e) {
            closeLock();
            throw new SessionTableException("open the session table", mapFile.toString(), String.valueOf(e),
                    "check that the state directory is writable and has room", e);
        }
    }

    private ChronicleMap<byte[], byte[]> openOrCreate() throws IOException {
        Files.deleteIfExists(fresh());
        ChronicleMap<byte[], byte[]> existing = Files.exists(mapFile) ? openExisting() : null;
        if (existing == null) return create();
        TableFileState state = TableFileState.read(stateFile);
        return state.capacity() == capacity ? existing : migrate(existing, state);
    }

    /** @return null when the file was put aside */
    private @Nullable ChronicleMap<byte[], byte[]> openExisting() throws IOException {
        try {
            TableFileState state = TableFileState.read(stateFile);
            check(state);
            ofThisBoot = state.boot().equals(boot);
            state.opened().write(stateFile);
            return state.closed() ? builder(state.capacity()).createPersistedTo(mapFile.toFile()) : recover(state.capacity());
        } catch (IOException | RuntimeException | AssertionError | InternalError e) {
            putAside(e);
            return null;
        }
    }

    private void check(TableFileState state) throws IOException {
        if (!state.layout().equals(LAYOUT)) throw new IOException("its layout is " + state.layout() + ", this version reads " + LAYOUT);
        if (Files.size(mapFile) < state.sizeBytes())
            throw new IOException("it is cut short: " + Files.size(mapFile) + " of " + state.sizeBytes() + " bytes");
        if (headerCrc(mapFile) != state.headerCrc()) throw new IOException("its header is damaged or of another file");
        if (state.recoveries() >= RECOVERIES) throw new IOException(state.recoveries() + " recoveries did not come to an end");
    }

    private ChronicleMap<byte[], byte[]> recover(long itsCapacity) throws IOException {
        LOG.info("The session table was not closed; recovering {}", mapFile);
        completeHeader(mapFile);
        int[] repaired = new int[1];
        ChronicleMap<byte[], byte[]> recovered = builder(itsCapacity).recoverPersistedTo(mapFile.toFile(), true, corruption -> {
            repaired[0]++;
            LOG.debug("{}", corruption::message);
        });
        LOG.info("Recovered {} sessions; {} marks of interrupted work were cleared", recovered.longSize(), repaired[0]);
        return recovered;
    }

    private void putAside(Throwable why) throws IOException {
        Path aside = mapFile.resolveSibling(mapFile.getFileName() + ".unreadable-" + wallMs);
        LOG.error(
                "The session table {} cannot be read: {}. It is kept as {}; this node starts with an empty table and has its sessions from its peers.",
                mapFile, why.getMessage() == null ? why.toString() : why.getMessage(), aside);
        Files.move(mapFile, aside, StandardCopyOption.REPLACE_EXISTING);
    }

    private ChronicleMap<byte[], byte[]> create() throws IOException {
        ofThisBoot = true;
        return publish(builder(capacity).createPersistedTo(fresh().toFile()), boot);
    }

    /** Live sessions first: when the new table is smaller, tombstones go before sessions. */
    private ChronicleMap<byte[], byte[]> migrate(ChronicleMap<byte[], byte[]> old, TableFileState oldState) throws IOException {
        LOG.info("Moving {} sessions from a table of {} to one of {}", old.longSize(), oldState.capacity(), capacity);
        ChronicleMap<byte[], byte[]> wanted = builder(capacity).createPersistedTo(fresh().toFile());
        copy(old, wanted, false);
        copy(old, wanted, true);
        long lost = old.longSize() - wanted.longSize();
        if (lost > 0) LOG.error("{} sessions found no room in the smaller table and are forgotten here", lost);
        old.close();
        return publish(wanted, oldState.boot());
    }

    private void copy(ChronicleMap<byte[], byte[]> old, ChronicleMap<byte[], byte[]> wanted, boolean tombstones) {
        SessionRecord session = new SessionRecord();
        old.forEachEntry(entry -> {
            byte[] value = entry.value().get();
            session.segment().asSlice(0, SessionRecord.SIZE).copyFrom(MemorySegment.ofArray(value));
            if (session.has(SessionRecord.CLOSED) == tombstones && wanted.longSize() < capacity) wanted.put(entry.key().get(), value);
        });
    }

    /**
     * Makes a fresh map the table's. The order matters to a process killed on the way: between the two steps there is a map with the state of another, whose
     * header does not match, and that map is put aside.
     */
    private ChronicleMap<byte[], byte[]> publish(ChronicleMap<byte[], byte[]> freshMap, String itsBoot) throws IOException {
        new TableFileState(LAYOUT, capacity, headerCrc(fresh()), Files.size(fresh()), itsBoot, false, 0).write(stateFile);
        freshMap.close();
        Files.move(fresh(), mapFile, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        return builder(capacity).createPersistedTo(mapFile.toFile());
    }

    private Path fresh() { return mapFile.resolveSibling("sessions.map.new"); }

    /**
     * How the map is built. Segments are small because a slice is a segment. Their fill varies: each has room for all but one in 100,000 fillings (room that is
     * not used costs disk, reserved at once so that a full disk cannot hurt later, but no memory) and grows by a tier after that. Our own quota, not Chronicle's, keeps the table at its capacity.
     * No checksums: entries are changed in place and a recovery would delete those whose checksum is behind.
     */
    private static ChronicleMapBuilder<byte[], byte[]> builder(long capacity) {
        return ChronicleMapBuilder.of(byte[].class, byte[].class).name("ambo-sessions").entries(capacity).actualSegments(slices(capacity))
                .constantKeySizeBySample(new byte[SessionKey.SIZE]).constantValueSizeBySample(new byte[SessionRecord.SIZE])
                .checksumEntries(false)
                .allowSegmentTiering(true).putReturnsNull(true).skipCloseOnExitHook(true);
    }

    static int slices(long capacity) { return (int) Math.max(1, (capacity + SLICE_SESSIONS - 1) / SLICE_SESSIONS); }

    private static FileChannel lock(Path directory) {
        Path file = directory.resolve("sessions.lock");
        try {
            Files.createDirectories(directory);
            FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (tryLock(channel)) return channel;
            channel.close();
        } catch (IOException e) {
            throw new SessionTableException("open the session table", directory.toString(), String.valueOf(e),
                    "node.table-dir must be a directory that this user can write", e);
        }
        throw new SessionTableException("open the session table", directory.toString(), "another process has it open",
                "stop the other node or give this one a node.table-dir of its own", null);
    }

    private static boolean tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            return false;
        }
    }

    private void closeLock() {
        try {
            lock.close();
        } catch (IOException e) {
            LOG.warn("The lock of {} could not be released: {}", mapFile, e.toString());
        }
    }

    private static long headerCrc(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer header = ByteBuffer.allocate(HEADER_LIMIT).order(ByteOrder.LITTLE_ENDIAN);
            while (header.hasRemaining() && channel.read(header) > 0) {
            }
            header.flip();
            if (header.limit() < HEADER_TEXT) throw new IOException("it has no header");
            int size = header.getInt(HEADER_SIZE_WORD) & Integer.MAX_VALUE;
            if (size > header.limit() - HEADER_TEXT) throw new IOException("its header is damaged");
            CRC32C crc = new CRC32C();
            crc.update(header.slice(HEADER_TEXT, size));
            return crc.getValue();
        }
    }

    /** A process killed during a recovery leaves the header marked as incomplete, and Chronicle would wait a minute for somebody to complete it. */
    private static void completeHeader(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer word = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(word, HEADER_SIZE_WORD);
            word.putInt(0, word.getInt(0) & Integer.MAX_VALUE).rewind();
            channel.write(word, HEADER_SIZE_WORD);
        }
    }
}
