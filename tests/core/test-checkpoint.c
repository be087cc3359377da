/* Checkpoints: written, verified, replaced, removed; and every kind of damage is noticed. */
#include "tests/support/checkpoint-fixture.h"

#include "core/base/fen-io.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
  char *run;
  CheckpointFixture *fixture;
} Place;

static void
set_up (Place *place, gconstpointer data)
{
  place->run = g_dir_make_tmp ("fen-checkpoint-XXXXXX", NULL);
  place->fixture = checkpoint_fixture_new (5000);
}

static void
tear_down (Place *place, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (place->run, NULL));
  checkpoint_fixture_free (place->fixture);
  g_free (place->run);
}

static void
write_step (Place *place, gint64 step, guint keep)
{
  g_autoptr (GError) error = NULL;
  checkpoint_fixture_set_step (place->fixture, step);
  g_assert_true (
      fen_checkpoint_write (place->run, &place->fixture->content, &place->fixture->state, keep, &error));
  g_assert_no_error (error);
}

/* The newest checkpoint is `step`'s, whole, and `n_notes` were found damaged. */
static void
expect_newest (Place *place, gint64 step, guint n_notes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  FenTrainState state;
  g_autofree char *path = fen_checkpoint_newest (place->run, &state, TRUE, notes, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (notes->len, ==, n_notes);
  checkpoint_fixture_set_step (place->fixture, 999);
  g_assert_true (fen_checkpoint_restore (path, &place->fixture->content, &error));
  g_assert_no_error (error);
  g_assert_true (checkpoint_fixture_is_step (place->fixture, &state, step));
}

static char *
file_of (Place *place, gint64 step, const char *name)
{
  g_autofree char *folder = fen_checkpoint_path (place->run, step);
  return g_build_filename (folder, name, NULL);
}

static guint
count_entries (Place *place)
{
  g_autofree char *folder = g_build_filename (place->run, "checkpoints", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint count = 0;
  while (dir != NULL && g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

static void
test_round_trip (Place *place, gconstpointer data)
{
  write_step (place, 7, 1);
  expect_newest (place, 7, 0);
  g_autofree char *config = file_of (place, 7, "config.json");
  g_assert_true (g_file_test (config, G_FILE_TEST_EXISTS));
}

/* Older ones go once the new one is whole; the same step twice replaces. */
static void
test_keep (Place *place, gconstpointer data)
{
  for (gint64 step = 10; step <= 50; step += 10)
    write_step (place, step, 2);
  g_autoptr (GArray) steps = fen_checkpoint_list (place->run);
  g_assert_cmpuint (steps->len, ==, 2);
  g_assert_cmpint (g_array_index (steps, gint64, 0), ==, 40);
  g_assert_cmpint (g_array_index (steps, gint64, 1), ==, 50);
  g_assert_cmpuint (count_entries (place), ==, 2);
  g_autofree char *path = file_of (place, 50, "optimizer.safetensors");
  g_assert_cmpint (truncate (path, 100), ==, 0);
  write_step (place, 50, 2);
  expect_newest (place, 50, 0);
  g_assert_cmpuint (count_entries (place), ==, 2);
  /* 100 comes after 50, whatever strings say. */
  write_step (place, 100, 1);
  expect_newest (place, 100, 0);
  g_assert_cmpuint (count_entries (place), ==, 1);
}

static void
flip_byte (const char *path, double where)
{
  g_autofree char *text = NULL;
  gsize bytes;
  g_assert_true (g_file_get_contents (path, &text, &bytes, NULL));
  g_assert_cmpuint (bytes, >, 0);
  text[(gsize)((double)(bytes - 1) * where)] ^= 1;
  FILE *file = g_fopen (path, "w");
  g_assert_cmpuint (fwrite (text, 1, bytes, file), ==, bytes);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* Every file, a flipped bit at ten places each: the one before is used, the damaged one is set aside. */
static void
test_flipped_bits (Place *place, gconstpointer data)
{
  static const char *const names[]
      = { "config.json", "model.safetensors", "optimizer.safetensors", "state.json" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    for (int where = 0; where <= 9; where++)
      {
        write_step (place, 10, 2);
        write_step (place, 20, 2);
        g_autofree char *path = file_of (place, 20, names[i]);
        flip_byte (path, where / 9.0);
        expect_newest (place, 10, 1);
        expect_newest (place, 10, 0);
        g_autofree char *aside = g_build_filename (place->run, "checkpoints", "damaged-step-20", NULL);
        g_assert_true (g_file_test (aside, G_FILE_TEST_IS_DIR));
      }
  /* The next whole one clears it away. */
  write_step (place, 30, 2);
  expect_newest (place, 30, 0);
  g_assert_cmpuint (count_entries (place), ==, 2);
}

/* Other damage: cut, missing, empty; a manifest that names other files. */
static void
test_other_damage (Place *place, gconstpointer data)
{
  static const char *const names[]
      = { "config.json", "model.safetensors", "optimizer.safetensors", "state.json" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    for (int kind = 0; kind < 3; kind++)
      {
        write_step (place, 10, 2);
        write_step (place, 20, 2);
        g_autofree char *path = file_of (place, 20, names[i]);
        if (kind == 0)
          g_assert_cmpint (g_unlink (path), ==, 0);
        else
          g_assert_cmpint (truncate (path, kind == 1 ? 0 : 15), ==, 0);
        expect_newest (place, 10, 1);
      }
  static const char *const manifests[] = {
    "{\"v\":1,\"check\":\"\",\"state\":{},\"files\":{}}",
    "{\"v\":1,\"check\":\"0\",\"state\":{\"step\":20,\"tokens\":0,\"rows_consumed\":0,\"update_count\":0,"
    "\"skipped_updates\":0,\"skipped_in_row\":0,\"eval_step\":-1,\"seed\":0,\"loss_scale\":1,\"smoothed_"
    "loss\":0,"
    "\"smoothed_weight\":0,\"loss\":null,\"eval_loss\":null,\"dataset_hash\":\"\",\"tokenizer_fingerprint\":"
    "\"\"},"
    "\"files\":{\"../../../etc/passwd\":{\"bytes\":1,\"xxh3\":\"\"}}}",
    "[[[[",
  };
  for (gsize i = 0; i < G_N_ELEMENTS (manifests); i++)
    {
      write_step (place, 10, 2);
      write_step (place, 20, 2);
      g_autofree char *path = file_of (place, 20, "state.json");
      g_assert_true (g_file_set_contents (path, manifests[i], -1, NULL));
      expect_newest (place, 10, 1);
    }
}

/* None is whole: an error now and at the next try as well, and nothing is taken away. */
static void
test_none_whole (Place *place, gconstpointer data)
{
  FenTrainState state;
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_checkpoint_newest (place->run, &state, TRUE, NULL, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND);
  write_step (place, 10, 1);
  g_autofree char *path = file_of (place, 10, "model.safetensors");
  flip_byte (path, 0.5);
  for (int i = 0; i < 2; i++)
    {
      g_clear_error (&error);
      g_assert_null (fen_checkpoint_newest (place->run, &state, TRUE, NULL, &error));
      g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED);
      g_assert_nonnull (strstr (error->message, "model.safetensors"));
    }
}

/* A whole checkpoint of another run: names, types and sizes are compared before a byte is taken. */
static void
test_mismatch (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  write_step (place, 10, 1);
  g_autofree char *path = fen_checkpoint_path (place->run, 10);
  FenStateTensor *tensor = &place->fixture->tensors[2];
  const FenStateTensor before = *tensor;
  tensor->dtype = FEN_I32;
  g_assert_false (fen_checkpoint_restore (path, &place->fixture->content, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_MISMATCH);
  g_assert_nonnull (strstr (error->message, "master.model.embed_tokens.weight is F32"));
  g_clear_error (&error);
  *tensor = before;
  tensor->elements -= 4;
  g_assert_false (fen_checkpoint_restore (path, &place->fixture->content, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_MISMATCH);
  g_clear_error (&error);
  *tensor = before;
  tensor->name = "master.other";
  g_assert_false (fen_checkpoint_restore (path, &place->fixture->content, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_MISMATCH);
}

/* Arrays that are copied in several pieces, the last of them short. */
static void
test_pieces (Place *place, gconstpointer data)
{
  checkpoint_fixture_free (place->fixture);
  place->fixture = checkpoint_fixture_new (700004);
  write_step (place, 10, 1);
  expect_newest (place, 10, 0);
}

static gboolean
fail_to_read (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes, void *bytes, gpointer data,
              GError **error)
{
  g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE, "the device is gone");
  return FALSE;
}

/* No room: said beforehand with both numbers; a write that fails in the middle leaves nothing; the old one stays. */
static void
test_no_room (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  write_step (place, 10, 1);
  checkpoint_fixture_set_step (place->fixture, 20);
  FenStateTensor *tensor = &place->fixture->tensors[4];
  const gint64 elements = tensor->elements;
  tensor->elements = G_GINT64_CONSTANT (1) << 58; /* an exbibyte */
  g_assert_false (
      fen_checkpoint_write (place->run, &place->fixture->content, &place->fixture->state, 1, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NO_SPACE);
  g_assert_nonnull (strstr (error->message, "free"));
  g_clear_error (&error);
  tensor->elements = elements;
  expect_newest (place, 10, 0);

  struct rlimit before, small;
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small = before;
  small.rlim_cur = 30000;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  const gboolean written
      = fen_checkpoint_write (place->run, &place->fixture->content, &place->fixture->state, 1, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_false (written);
  g_clear_error (&error);
  g_assert_cmpuint (count_entries (place), ==, 1);

  place->fixture->content.read = fail_to_read;
  g_assert_false (
      fen_checkpoint_write (place->run, &place->fixture->content, &place->fixture->state, 1, &error));
  g_assert_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE);
  g_assert_cmpuint (count_entries (place), ==, 1);
  expect_newest (place, 10, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Place, NULL, set_up, function, tear_down)
  ADD ("/checkpoint/round-trip", test_round_trip);
  ADD ("/checkpoint/keep", test_keep);
  ADD ("/checkpoint/flipped-bits", test_flipped_bits);
  ADD ("/checkpoint/other-damage", test_other_damage);
  ADD ("/checkpoint/none-whole", test_none_whole);
  ADD ("/checkpoint/mismatch", test_mismatch);
  ADD ("/checkpoint/pieces", test_pieces);
  ADD ("/checkpoint/no-room", test_no_room);
  return g_test_run ();
}
