package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.traffic.TalkEnd.Talk;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The servers' ends of {@link Conversations}: a thread of the drill's process, or, when both ends of all connections are more files than a process may have
 * open, a process of its own.
 */
final class TalkServer implements AutoCloseable {
    private final ServerSocket listener;
    private final TalkBoard board;
    private final Talk talk;
    private final List<TalkEnd> ends = new CopyOnWriteArrayList<>();

    /** @param listener as many connections are accepted as the board has slots for, in the order of their slots */
    TalkServer(ServerSocket listener, TalkBoard board, Talk talk) {
        this.listener = listener;
        this.board = board;
        this.talk = talk;
    }

    /** Accepts until the listener is closed. */
    void serve() {
        try {
            for (int connection = 0;; connection++) {
                Socket accepted = listener.accept();
                TalkEnd end = new TalkEnd(accepted, board, connection, TalkBoard.SERVER, talk);
                ends.add(end);
                end.start();
                board.setAccepted(connection + 1);
            }
        } catch (IOException closed) {
            if (!listener.isClosed()) throw new LabException("accepting connections: " + closed.getMessage(), closed);
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        for (TalkEnd end : ends) end.close();
    }

    /** The process of its own: BOARD-FILE CONNECTIONS PORT CHUNK-BYTES INTERVAL-MS. It ends when it is killed. */
    public static void main(String[] words) throws IOException {
        TalkBoard board = new TalkBoard(Integer.parseInt(words[1]), Path.of(words[0]));
        ServerSocket listener = new ServerSocket(Integer.parseInt(words[2]), Conversations.BACKLOG);
        System.out.println("listening");
        new TalkServer(listener, board, new Talk(Integer.parseInt(words[3]), Integer.parseInt(words[4]))).serve();
    }
}
