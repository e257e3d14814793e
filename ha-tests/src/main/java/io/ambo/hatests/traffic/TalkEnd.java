package io.ambo.hatests.traffic;

import io.ambo.hatests.sys.Pause;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;

/** One end of a connection that sends all the time and checks every byte that arrives. A sending and a receiving virtual thread; what they do stands in its slot. */
final class TalkEnd {
    private final Socket socket;
    private final TalkBoard board;
    private final TalkBoard.Slot slot;
    private final ByteStream outgoing;
    private final ByteStream incoming;
    private final Talk talk;

    /** How connections talk: each end sends so many bytes at once, and so often. */
    record Talk(int chunkBytes, int intervalMs) {}

    TalkEnd(Socket socket, TalkBoard board, int connection, int side, Talk talk) {
        this.socket = socket;
        this.board = board;
        this.talk = talk;
        slot = board.slot(connection, side);
        ByteStream request = new ByteStream(2L * connection + 1);
        ByteStream answer = new ByteStream(2L * connection + 2);
        outgoing = side == TalkBoard.CLIENT ? request : answer;
        incoming = side == TalkBoard.CLIENT ? answer : request;
    }

    void start() {
        slot.begin();
        Thread.ofVirtual().start(this::send);
        Thread.ofVirtual().start(this::receive);
    }

    private void send() {
        byte[] chunk = new byte[talk.chunkBytes()];
        long place = 0;
        try {
            OutputStream out = socket.getOutputStream();
            while (!board.isStopped()) {
                outgoing.fill(chunk, place);
                out.write(chunk);
                place += chunk.length;
                slot.setSent(place);
                Pause.ms(talk.intervalMs());
            }
            socket.shutdownOutput();
        } catch (IOException failed) {
            slot.fail(String.valueOf(failed.getMessage()));
        }
        slot.setSendingEnded();
    }

    private void receive() {
        byte[] buffer = new byte[2048];
        long place = 0;
        try {
            InputStream in = socket.getInputStream();
            for (int got = in.read(buffer); got >= 0; got = in.read(buffer)) {
                long wrong = incoming.mismatch(buffer, got, place);
                if (wrong >= 0) throw new IOException("byte " + wrong + " is wrong");
                place += got;
                slot.setReceived(place);
            }
        } catch (IOException failed) {
            slot.fail(String.valueOf(failed.getMessage()));
        }
        slot.setReceivingEnded();
    }

    void close() throws IOException { socket.close(); }
}
