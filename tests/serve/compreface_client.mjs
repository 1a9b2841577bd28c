// Uses CompreFace's JavaScript SDK as its README does, and prints the answers as JSON.
// Arguments: the SDK's index.js, port, key, photo of one person, photo of a group.
import {pathToFileURL} from "node:url";

const [sdk, port, key, photo, group] = process.argv.slice(2);
const {CompreFace} = await import(pathToFileURL(sdk));
console.log = () => {};  // the SDK prints URLs
const service = new CompreFace("http://127.0.0.1", port);
const recognition = service.initFaceRecognitionService(key);
// An object of the SDK appends to its own URL, so each call asks for a new one.
const answers = {};
answers.subject = await recognition.getSubjects().add("Anna");
answers.added = await recognition.getFaceCollection().add(photo, "Anna", {});
answers.faces = await recognition.getFaceCollection().list();
answers.recognized = await recognition.recognize(group, {
  limit: 2, det_prob_threshold: 0.5, prediction_count: 1, face_plugins: "age,gender,landmarks", status: true,
});
answers.verified = await recognition.getFaceCollection().verify(photo, answers.added.image_id, {limit: 0});
answers.detected = await service.initFaceDetectionService(key).detect(group, {limit: 1});
answers.compared = await service.initFaceVerificationService(key).verify(photo, photo, {limit: 1});
answers.renamed = await recognition.getSubjects().rename("Anna", "Anne");
answers.subjects = await recognition.getSubjects().list();
answers.removed = await recognition.getFaceCollection().delete_all_subject("Anne");
try {
  await recognition.recognize(photo.replace("anna", "black"), {limit: 1});
} catch (error) {
  answers.error = {status: error.response.status, ...error.response.data};
}
process.stdout.write(JSON.stringify(answers));
