package io.ambo.hatests.traffic;

import com.sun.management.UnixOperatingSystemMXBean;
import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.JvmCommand;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.TalkEnd.Talk;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * Long-lived TCP connections from the lab's client to its server, with data flowing both ways all the time, and every byte checked where it arrives.
 * Every second connection is IPv6.
 */
public final class Conversations implements AutoCloseable {
    static final int BACKLOG = 1024;

    private static final int CONNECT_LIMIT_MS = 10_000;

    /** Files that a drill has open besides its connections. */
    private static final int OTHER_FILES = 500;

    private final TalkBoard board;
    private final List<TalkEnd> clients = new ArrayList<>();
    private final List<TalkBoard.Slot> atClient = new ArrayList<>();
    private final List<TalkBoard.Slot> atServer = new ArrayList<>();
    private final AutoCloseable server;

    /**
     * Opens them, one after the other; each talks as soon as it is open.
     *
     * @param chunkBytes what each end sends at once
     * @param intervalMs and how often
     */
    public Conversations(Lab lab, int port, int count, int chunkBytes, int intervalMs) {
        Talk talk = new Talk(chunkBytes, intervalMs);
        boolean ownProcess = 2 * count + OTHER_FILES > mayOpen();
        if (count + OTHER_FILES > mayOpen())
            throw new LabException(
                    count + " connections are more than this process may have files open (" + mayOpen() + "): raise it with ulimit -n");
        Path file = lab.directory().resolve("talk-" + port);
        board = ownProcess ? new TalkBoard(count, file) : new TalkBoard(count);
        for (int id = 0; id < count; id++) {
            atClient.add(board.slot(id, TalkBoard.CLIENT));
            atServer.add(board.slot(id, TalkBoard.SERVER));
        }
        server = ownProcess ? serverProcess(lab.server(), file, count, port, talk) : serverThread(lab.server(), port, talk);
        try {
            for (int id = 0; id < count; id++) connect(lab.client(), id, port, talk);
        } catch (LabException failed) {
            close();
            throw failed;
        }
    }

    private static long mayOpen() {
        return ((UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getMaxFileDescriptorCount();
    }

    private AutoCloseable serverThread(NetworkNamespace host, int port, Talk talk) {
        TalkServer ends = new TalkServer(host.call(() -> new ServerSocket(port, BACKLOG)), board, talk);
        Thread.ofPlatform().daemon().name("talk-" + port).start(ends::serve);
        return ends;
    }

    private static AutoCloseable serverProcess(NetworkNamespace host, Path board, int count, int port, Talk talk) {
        List<String> words = new ArrayList<>(host.command());
        words.addAll(JvmCommand.tool(TalkServer.class, board, count, port, talk.chunkBytes(), talk.intervalMs()));
        Path log = board.resolveSibling(board.getFileName() + ".log");
        Process process;
        try {
            process = new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        } catch (IOException failed) {
            throw new LabException("cannot start the servers' ends: " + failed.getMessage(), failed);
        }
        long deadlineNs = System.nanoTime() + CONNECT_LIMIT_MS * 1_000_000L;
        while (!said(log).contains("listening")) {
            if (!process.isAlive() || System.nanoTime() > deadlineNs) {
                process.destroyForcibly();
                throw new LabException("the servers' ends do not start: " + said(log));
            }
            Pause.ms(20);
        }
        return process::destroyForcibly;
    }

    private static String said(Path log) {
        try {
            return Files.readString(log, StandardCharsets.UTF_8);
        } catch (IOException notYet) {
            return "";
        }
    }

    private void connect(NetworkNamespace host, int id, int port, Talk talk) {
        InetSocketAddress to = new InetSocketAddress(Addresses.of(id % 2 == 0 ? Addresses.SERVER : Addresses.SERVER6), port);
        Socket socket = host.call(() -> {
            Socket made = new Socket();
            try {
                made.connect(to, CONNECT_LIMIT_MS);
            } catch (IOException failed) {
                made.close();
                throw new LabException("opening connection " + id + ": " + failed.getMessage(), failed);
            }
            return made;
        });
        TalkEnd end = new TalkEnd(socket, board, id, TalkBoard.CLIENT, talk);
        clients.add(end);
        end.start();
        // They come one at a time, so the next one that the server accepts is this one.
        long deadlineNs = System.nanoTime() + CONNECT_LIMIT_MS * 1_000_000L;
        while (board.accepted() <= id) {
            if (System.nanoTime() > deadlineNs)
                throw new LabException("connection " + id + " is open at the client and has not come to the server");
            Thread.onSpinWait();
        }
    }

    public int size() { return clients.size(); }

    /** Connections in both of whose directions new bytes have arrived, within the limit, since now. */
    public int awaitProgress(long limitMs) {
        long[] serverMark = atServer.stream().mapToLong(TalkBoard.Slot::received).toArray();
        long[] clientMark = atClient.stream().mapToLong(TalkBoard.Slot::received).toArray();
        long deadlineNs = System.nanoTime() + limitMs * 1_000_000;
        while (true) {
            int progressed = 0;
            for (int i = 0; i < serverMark.length; i++)
                if (atServer.get(i).received() > serverMark[i] && atClient.get(i).received() > clientMark[i]) progressed++;
            if (progressed == serverMark.length || System.nanoTime() > deadlineNs) return progressed;
            Pause.ms(5);
        }
    }

    /** The longest silence, in nanoseconds, of each end of each connection since {@link #forgetSilences}. */
    public Histogram silences() {
        Histogram histogram = Requests.histogram();
        for (int i = 0; i < size(); i++) {
            histogram.recordValue(atServer.get(i).longestSilenceNs());
            histogram.recordValue(atClient.get(i).longestSilenceNs());
        }
        return histogram;
    }

    public void forgetSilences() {
        atServer.forEach(TalkBoard.Slot::forgetSilence);
        atClient.forEach(TalkBoard.Slot::forgetSilence);
    }

    public long bytesReceived() {
        return atServer.stream().mapToLong(TalkBoard.Slot::received).sum() + atClient.stream().mapToLong(TalkBoard.Slot::received).sum();
    }

    /** Connections that met with an error (a reset, say), and with which. */
    public List<String> failures() {
        List<String> failures = new ArrayList<>();
        for (int i = 0; i < size(); i++) {
            addFailure(failures, i, "at the server", atServer.get(i));
            addFailure(failures, i, "at the client", atClient.get(i));
        }
        return failures;
    }

    private static void addFailure(List<String> failures, int connection, String where, TalkBoard.Slot end) {
        if (!end.failure().isEmpty()) failures.add("connection " + connection + " " + where + ": " + end.failure());
    }

    /** Lets every end stop sending and read what is still to come. @return connections whose every byte arrived in order at both ends */
    public int finish(long limitMs) {
        board.stop();
        long deadlineNs = System.nanoTime() + limitMs * 1_000_000;
        int whole = 0;
        for (int i = 0; i < size(); i++) {
            boolean serverEnded = awaitEnd(atServer.get(i), deadlineNs);
            boolean clientEnded = awaitEnd(atClient.get(i), deadlineNs);
            if (serverEnded && clientEnded && isWhole(i)) whole++;
        }
        return whole;
    }

    private static boolean awaitEnd(TalkBoard.Slot end, long deadlineNs) {
        while (!end.hasEnded()) {
            if (System.nanoTime() > deadlineNs) {
                end.fail("had not ended when the drill did");
                return false;
            }
            Pause.ms(1);
        }
        return true;
    }

    private boolean isWhole(int connection) {
        TalkBoard.Slot client = atClient.get(connection);
        TalkBoard.Slot atOther = atServer.get(connection);
        return client.failure().isEmpty() && atOther.failure().isEmpty() && client.received() == atOther.sent()
                && atOther.received() == client.sent();
    }

    @Override
    public void close() {
        board.stop();
        try {
            server.close();
            for (TalkEnd client : clients) client.close();
        } catch (Exception failed) {
            throw new LabException("closing connections: " + failed.getMessage(), failed);
        }
    }
}
