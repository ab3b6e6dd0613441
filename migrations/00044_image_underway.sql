-- An object of an image on its way into the store, until its row is there. What a killed process has left without one is found here
-- and removed; an upload's pieces have had their rows before all along. Unlogged: a note that a crashed database has lost leaves an
-- object behind and loses nothing, and no image waits for the disk because of it.
CREATE UNLOGGED TABLE image_underway (
    object_key text PRIMARY KEY,
    begun_at   timestamptz NOT NULL
);
CREATE INDEX image_underway_begun ON image_underway (begun_at);

---- create above / drop below ----

DROP TABLE image_underway;
